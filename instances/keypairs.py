"""What users do with key pairs."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from computecloud.core.errors import Conflict, NotFound, OverQuota
from instances import keys, quotas
from instances.models.keypair import KeyPair


class KeyPairNotFound(NotFound):
    message = "Keypair {name} not found for user {user_id}"


class KeyPairNameTaken(Conflict):
    message = "Key pair '{name}' already exists."


class TooManyKeyPairs(OverQuota):
    message = "Quota exceeded, too many key pairs."


def get(user_id: str, name: str) -> KeyPair:
    """One key pair of a user. Raises KeyPairNotFound."""
    found = KeyPair.objects.filter(user_id=user_id, name=name).first()
    if found is None:
        raise KeyPairNotFound(name=name, user_id=user_id)
    return found


def add(user_id: str, project_id: str, name: str, kind: str, public_key: str) -> KeyPair:
    """Keep a public key under a name.

    Raises:
        KeyInvalid: the text is no key of this kind.
        TooManyKeyPairs: the user has as many as the project's limit allows.
        KeyPairNameTaken: the user has one of this name.
    """
    print_ = keys.fingerprint(kind, public_key)
    row = KeyPair(user_id=user_id, name=name, type=kind, fingerprint=print_, public_key=public_key)
    try:
        with transaction.atomic():
            limit = quotas.limit_of(project_id, "key_pairs")
            quotas.lock(f"user:{user_id}", "key_pairs")
            if 0 <= limit <= KeyPair.objects.filter(user_id=user_id).count():
                raise TooManyKeyPairs
            row.save(force_insert=True)
    except IntegrityError:
        raise KeyPairNameTaken(name=name) from None
    return row


def delete(user_id: str, name: str) -> None:
    """Forget a key pair; servers keep their copy. Raises KeyPairNotFound."""
    count, _ = KeyPair.objects.filter(user_id=user_id, name=name).delete()
    if not count:
        raise KeyPairNotFound(name=name, user_id=user_id)
