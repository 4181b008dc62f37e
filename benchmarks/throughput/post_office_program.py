"""The least that django-post_office needs: python post_office_program.py prepare|send HOST PORT SENDER

Runs in a virtual environment that has it, in a folder with recipients.csv, subject, text and html.
"""

import csv
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command


def main(step: str, host: str, port: str, sender: str) -> None:
    """Make the tables and the template; or queue a mail for each recipient, and send what is queued."""
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "post_office.db"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="post_office.EmailBackend",
        EMAIL_HOST=host,
        EMAIL_PORT=int(port),
        POST_OFFICE={"BATCH_SIZE": 1000, "MESSAGE_ID_ENABLED": True, "MESSAGE_ID_FQDN": "serienmail.example"},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        USE_TZ=True,
    )
    django.setup()
    if step == "prepare":
        call_command("migrate", verbosity=0)
    else:
        _send(sender)


def _send(sender: str) -> None:
    from post_office import mail
    from post_office.models import EmailTemplate

    subject, text, html = (Path(name).read_text(encoding="utf-8") for name in ("subject", "text", "html"))
    template = EmailTemplate.objects.create(name="benchmark", subject=subject, content=text, html_content=html)
    with Path("recipients.csv").open(newline="", encoding="utf-8") as recipients:
        mail.send_many([_mail(template, sender, row) for row in csv.DictReader(recipients)])
    call_command("send_queued_mail", processes=1)


def _mail(template: object, sender: str, row: dict[str, str]) -> dict[str, object]:
    unsubscribe = {
        "List-Unsubscribe": f"<{row['unsubscribe_url']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    to = f"{row['first_name']} {row['last_name']} <{row['email']}>"
    return {"recipients": to, "sender": sender, "template": template, "context": row, "headers": unsubscribe}


main(*sys.argv[1:])
