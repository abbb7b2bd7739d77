from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0002_shelved_image'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='soft_deleted_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
