from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gql_chat", "0006_waiting"),
    ]

    operations = [
        migrations.AlterField(
            model_name="streamevent",
            name="stream",
            field=models.CharField(max_length=260),
        ),
        migrations.AlterField(
            model_name="clientmessage",
            name="stream",
            field=models.CharField(max_length=260),
        ),
    ]
