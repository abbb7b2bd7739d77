"""Routes of the Network API."""

urlpatterns: list[object] = []
