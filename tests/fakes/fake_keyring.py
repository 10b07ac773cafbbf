"""A keyring with one secret in it."""

from __future__ import annotations

from keyring.backend import KeyringBackend


class OneSecret(KeyringBackend):
    """Knows the fake hub's token."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return "hf_secret" if (service, username) == ("tweenbridge", "huggingface") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError
