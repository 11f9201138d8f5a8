#!/bin/bash
# certificate.sh FOLDER NAMES: a key made here, and a certificate that names the machine, is the
# key's and is in date. NAMES as openssl prints them: "IP Address:192.0.2.1, DNS:lab.example.org";
# none leave it the ones that it has.
# Run as the notebook's user, who may rearrange the folder.
set -e
umask 077
mkdir -p "$1"
cd "$1"

x509() { openssl x509 -noout -in certificate.pem -nameopt RFC2253 "$@"; }
fits() { [ "$(openssl pkey -pubout -in key.pem)" = "$(x509 -pubkey)" ]; }
# A certificate of the user's own, or of an authority, is left alone.
ours() { [ "$(x509 -subject -issuer | cut -d= -f2- | uniq)" = O=jupyter-clouds ]; }
# letsencrypt.py left a copy and its names: in days it runs out, and nobody else would renew it.
stale() { cmp -s acme.pem certificate.pem && ! { x509 -checkend 0 && [ "$(cat acme.names)" = "${given:-$(cat acme.names)}" ]; }; }
good() { x509 -checkend 2592000 && x509 -ext subjectAltName | grep -Fqx "    $names"; }
make() {
  # A configuration of our own: the system's would add that this is an authority.
  openssl req -new -x509 -days 365 -key key.pem -out new.pem -subj /O=jupyter-clouds \
    -config <(printf '%s\n' distinguished_name=x [x]) \
    -addext "subjectAltName=${names//IP Address/IP}" \
    -addext basicConstraints=critical,CA:FALSE \
    -addext keyUsage=critical,digitalSignature \
    -addext extendedKeyUsage=serverAuth
  # On a full disk, openssl leaves an empty file and calls it a success.
  openssl x509 -noout -in new.pem && mv new.pem certificate.pem
}

given=$2
names=${given:-$(x509 -ext subjectAltName | sed -n "2s/^ *//p")}
names=${names:-IP Address:127.0.0.1}
if ! openssl pkey -noout -in key.pem; then
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.pem
  # The console tells of it, once for all: no power loss takes it back.
  sync new.pem
  mv new.pem key.pem
  sync .
fi
# A pair of the user's own may be halfway through being stored.
[ ! -e certificate.pem ] || fits || sleep 1
fits || make
! stale || make
# Renewed with the same key: pins hold. Where there is no room, the old one serves on.
! ours || good || make || rm -f new.pem
x509 -subject -enddate -ext subjectAltName
