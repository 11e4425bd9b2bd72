"""Content credentials (C2PA): a signed manifest in a file, written with a key of this studio's own, and read.

The manifest says which program made the file, by which model, and that a machine did (the source type of
studio.recipes.ai_marks); its signature holds all other bytes of the file. The key and its certificate are made once, in
home/signing.pem, and nobody vouches for them: they show that a file is as it left this studio, and nothing about a
person. The package c2pa-python does the work where an operator has added it (docs/decisions/082-signed.md).

Form: spec.c2pa.org, 2.2.
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from studio import __version__
from studio.errors import StudioError
from studio.media import formats
from studio.paths import write
from studio.recipes import ai_marks

Sign = Callable[[bytes, Mapping[str, Any], bool], bytes]
"""A finished file, its recipe, and whether the file may say which model it was -> the file, signed where it can be."""
FILE = "signing.pem"
_YEARS = 10
_PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
"""A thumbnail weighs more than the picture; nothing that a file names is fetched."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a file's manifest says.

    Attributes:
        intact: the file is as it was signed.
        signer: whom the certificate names. serial: its number.
        program: what made the claim. source: the source type that it names, as studio.recipes.ai_marks has them.
    """

    intact: bool
    signer: str
    serial: str
    program: str
    source: str


def unsigned(data: bytes, made: Mapping[str, Any], told: bool) -> bytes:  # noqa: ARG001
    """The file as it is."""
    return data


def signing(home: Path, producer: str = "", *, wanted: bool = True) -> Sign:
    """How a studio signs what it writes.

    Args:
        home: where its key is, or is made.
        producer: whom the certificate names where it is made.

    Raises:
        StudioError: no_c2pa where the package is not here; of the disk.
    """
    if not wanted:
        return unsigned
    return Signer(home / FILE, producer).signed


class Signer:
    """Signs with the key in a file. Safe to use from several threads."""

    def __init__(self, file: Path, producer: str = "") -> None:
        c2pa = _library()
        pem = _pem(file, producer or ai_marks.PRODUCER)
        at = pem.index(b"-----BEGIN CERTIFICATE")
        self._c2pa, self._lock = c2pa, threading.Lock()
        self._context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
        self._signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", pem[at:], pem[:at], None))

    def signed(self, data: bytes, made: Mapping[str, Any], told: bool) -> bytes:
        """The file with a manifest; as it is where its format has no place for one."""
        kind = _media_type(data)
        if not kind:
            return data
        out = io.BytesIO()
        with self._lock:
            builder = self._c2pa.Builder(_manifest(made, told=told), self._context)
            try:
                builder.sign(self._signer, kind, io.BytesIO(data), out)
            finally:
                builder.close()
        return out.getvalue()


def read(data: bytes) -> Signature | None:
    """What a file's manifest says; None where it has none. Fetches nothing.

    Raises:
        StudioError: no_c2pa where it has one and the package is not here; bad_signature where it cannot be read.
    """
    if b"c2pa" not in data or not (kind := _media_type(data)):
        return None
    c2pa = _library()
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
        with c2pa.Reader(kind, io.BytesIO(data), None, context) as reader:
            found = json.loads(reader.json())
        manifest = found["manifests"][found["active_manifest"]]
    except c2pa.C2paError.ManifestNotFound:
        return None
    except Exception as error:  # whatever the library or a hostile file comes up with
        raise StudioError("bad_signature") from error
    about, programs = manifest.get("signature_info") or {}, manifest.get("claim_generator_info") or [{}]
    named = json.dumps([one for one in manifest.get("assertions", ()) if "action" in str(one.get("label"))])
    return Signature(
        intact=found.get("validation_state") in ("Valid", "Trusted"),
        signer=_said(about.get("common_name") or about.get("issuer")),
        serial=_said(about.get("cert_serial_number")),
        program=_said(programs[0].get("name")),
        source=next((one for one in ai_marks.SOURCES if f'digitalsourcetype/{one}"' in named), ""),
    )


def serial(home: Path) -> str:
    """The number of this studio's own certificate; "" where it has none."""
    try:
        pem = (home / FILE).read_bytes()
    except OSError:
        return ""
    from cryptography import x509

    return str(x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE") :]).serial_number)


def _manifest(made: Mapping[str, Any], *, told: bool) -> dict[str, Any]:
    model = made["model"]
    agent = {"name": model["title"], "version": model["revision"]} if told else {"name": ai_marks.PRODUCER}
    action = {
        "action": "c2pa.created", "when": made["made"], "digitalSourceType": ai_marks.source_type(made),
        "softwareAgent": {name: value for name, value in agent.items() if value},
    }  # fmt: skip
    return {
        "claim_generator_info": [{"name": ai_marks.PRODUCER, "version": __version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }


def _media_type(data: bytes) -> str:
    """How the library calls a format in which we write manifests; "" for all others."""
    if found := _PICTURES.get(formats.kind(data) or ""):
        return found
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    return "audio/mpeg" if data.startswith(b"ID3") and b"fLaC" not in data[:100_000] else ""


def _pem(file: Path, name: str) -> bytes:
    """Key and certificate, made where there are none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        pass
    with contextlib.suppress(FileExistsError):  # another studio may be quicker
        write(file, _made(name), new=True)  # with the rights of its owner alone, as all that is written
    return file.read_bytes()


def _made(name: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    whom = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
        x509.NameAttribute(NameOID.COMMON_NAME, f"{name}, own key"),
    ])  # fmt: skip
    none = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder(issuer_name=whom, subject_name=whom, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **none), critical=True)
        # C2PA asks for a purpose: this one is in its list.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


def _said(value: object) -> str:
    """A stranger's text, short and in one line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(value or "")[:200]).split())


def _library() -> Any:
    try:
        import c2pa
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("c2pa", "cryptography"):
            raise StudioError("no_c2pa") from error
        raise
    return c2pa
