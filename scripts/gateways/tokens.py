"""Throwaway keys, their archive, and tokens in the manner of Entra. Nothing in here is secret once the run is over."""

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
HOST = "login.microsoftonline.com"
HOUR = 3600
DAY = 24 * HOUR


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key:
    """An RSA key with the period in which it is published, in seconds relative to the run."""

    def __init__(self, published=None, issuer="{tenantid}"):
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self.private.public_key()
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.kid = encode(hashlib.sha1(spki).digest())
        self.published = published
        numbers = public.public_numbers()
        self.jwk = {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": encode(numbers.n.to_bytes(256, "big")),
            "e": encode(numbers.e.to_bytes(3, "big")),
            "issuer": f"https://{HOST}/{issuer}/v2.0",
            "cloud_instance_name": "microsoftonline.com",
        }

    def sign(self, text):
        return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())


class Issuer:
    """The issuer's keys: two in use, one withdrawn, one for personal accounts, one that was never its own."""

    def __init__(self):
        self.old = Key(published=(-6 * DAY, -40 * HOUR))
        self.current = Key(published=(-5 * DAY, DAY))
        self.coming = Key(published=(-30 * HOUR, DAY))
        self.personal = Key(published=(-6 * DAY, DAY), issuer=PERSONAL_TENANT)
        self.foreign = Key()

    def document(self, offset):
        keys = [self.old, self.current, self.coming, self.personal]
        listed = [key.jwk for key in keys if key.published[0] <= offset < key.published[1]]
        return json.dumps({"keys": listed}, separators=(",", ":"))

    def write_archive(self, folder, tenant, start, end):
        """Writes captures every twelve hours up to the start of the run, and one at its end."""
        lines = []
        offsets = list(range(-6 * DAY, 1, 12 * HOUR)) + [end - start]
        for authority in ["common", tenant]:
            last = None
            for offset in offsets:
                at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + offset))
                body = self.document(offset)
                if last is None or last[1] != body:
                    name = f"{HOST}/{authority}/v2.0/{at.replace(':', '-')}.json"
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(body)
                    last = (name, body)
                lines.append(json.dumps({
                    "file": last[0],
                    "captured_at": at,
                    "source": f"https://{HOST}/{authority}/discovery/v2.0/keys",
                    "sha256": hashlib.sha256(body.encode()).hexdigest(),
                    "status": 200,
                }))
        (folder / "captures.jsonl").write_text("".join(line + "\n" for line in lines))


def claims(audience, tenant, **changes):
    """Claims of a good v2 token of a user, issued ten minutes ago; a change to None removes a claim."""
    now = int(time.time())
    oid = str(uuid.uuid4())
    good = {
        "aud": audience,
        "iss": f"https://{HOST}/{tenant}/v2.0",
        "iat": now - 900,
        "nbf": now - 900,
        "exp": now - 900 + 3900,
        "azp": "5f2c1f0e-8a4b-4f43-9d4b-0f6b7b6f8a11",
        "azpacr": "1",
        "name": "User 00001",
        "oid": oid,
        "preferred_username": f"user{secrets.randbelow(100000):05}@contoso.example",
        "scp": "Items.Read Items.Write",
        "sub": secrets.token_urlsafe(32),
        "tid": tenant,
        "uti": secrets.token_urlsafe(16),
        "ver": "2.0",
    }
    good.update(changes)
    return {name: value for name, value in good.items() if value is not None}


def token(key, payload, header=None, mac=None, unsigned=False, flip=False):
    """A token of some claims. `header` adds members, or removes them with None; `mac` signs with HS256 instead."""
    head = {"typ": "JWT", "alg": "RS256", "kid": key.kid}
    head.update(header or {})
    head = {name: value for name, value in head.items() if value is not None}
    parts = [encode(json.dumps(part, separators=(",", ":")).encode()) for part in (head, payload)]
    signed = ".".join(parts).encode()
    if unsigned:
        signature = b""
    elif mac is not None:
        signature = hmac.new(mac, signed, hashlib.sha256).digest()
    else:
        signature = key.sign(signed)
    if flip:
        signature = bytes([signature[0], signature[1] ^ 1]) + signature[2:]
    return f"{signed.decode()}.{encode(signature)}"


def fingerprint(value):
    """The `token_sha256` of a value."""
    parts = value.split(".")
    if len(parts) == 3:
        return hashlib.sha256(f"{parts[0]}.{parts[1]}.".encode() + decode(parts[2])).hexdigest()
    return hashlib.sha256(value.encode()).hexdigest()
