from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0003_soft_deleted_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='encrypted_password',
            field=models.TextField(blank=True, default=''),
        ),
    ]
