"""A company's own CA, made with openssl as its people would: a root, an issuing CA below it, certificates for clients,
lists of what it revoked."""
import pathlib
import subprocess

CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
crlnumber = {folder}/crlnumber
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[issuing]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class Leaf:
    """What house.curl and house.context want of a device."""

    def __init__(self, cert, key):
        self.cert, self.key = str(cert), str(key)

    def curl(self):
        return ["--cert", self.cert, "--key", self.key]


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, text=True).stdout


class CorpCA:
    def __init__(self, folder, name="Corp Root"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.count = 0
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("1000\n")
        (self.folder / "crlnumber").write_text("01\n")
        self.config = self.folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        self.root, self.root_key = self.folder / "root.pem", self.folder / "root.key"
        self.key(self.root_key)
        openssl("req", "-x509", "-new", "-config", self.config, "-extensions", "root", "-key", self.root_key, "-days", "100",
                "-subj", f"/CN={name}", "-out", self.root)
        self.issuing, self.issuing_key = self.folder / "issuing.pem", self.folder / "issuing.key"
        self.sign(self.issuing, self.issuing_key, f"/CN={name} Issuing", "issuing", self.root, self.root_key)

    @staticmethod
    def key(path):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)

    def sign(self, cert, key, subject, section, issuer, issuer_key):
        self.key(key)
        request = self.folder / "request.pem"
        openssl("req", "-new", "-config", self.config, "-key", key, "-subj", subject, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self.config, "-extensions", section, "-cert", issuer, "-keyfile",
                issuer_key, "-in", request, "-out", cert)

    def leaf(self, name, san=None, usage="clientAuth", lines=(), with_chain=True):
        """A client's certificate with its chain behind it; by default named by e-mail."""
        self.count += 1
        cert, key = self.folder / f"leaf{self.count}.pem", self.folder / f"leaf{self.count}.key"
        section = f"leaf{self.count}"
        text = [f"[{section}]", "basicConstraints = CA:FALSE", *lines]
        if usage:
            text.append(f"extendedKeyUsage = {usage}")
        if san != "":
            text.append(f"subjectAltName = {san or f'email:{name}@corp.example'}")
        with self.config.open("a") as config:
            config.write("\n".join(text) + "\n")
        self.sign(cert, key, f"/CN={name}", section, self.issuing, self.issuing_key)
        leaf = Leaf(cert, key)
        leaf.alone = self.folder / f"alone{self.count}.pem"
        leaf.alone.write_text(cert.read_text())
        if with_chain:
            cert.write_text(cert.read_text() + self.issuing.read_text())
        return leaf

    def revoke(self, leaf):
        openssl("ca", "-config", self.config, "-cert", self.issuing, "-keyfile", self.issuing_key, "-revoke", leaf.alone)

    def crl(self, out, *words):
        """Writes the issuing CA's list beside `out` and renames it there, as whoever fetches it would."""
        fresh = pathlib.Path(f"{out}.new")
        openssl("ca", "-gencrl", "-config", self.config, "-cert", self.issuing, "-keyfile", self.issuing_key, *words,
                "-out", fresh)
        fresh.rename(out)
        return out
