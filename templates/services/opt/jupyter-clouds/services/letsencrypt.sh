#!/bin/bash
# letsencrypt.sh FOLDER whose|request NAMES|store NAMES: as the notebook's user, who may rearrange
# the folder. NAMES as openssl prints them.
set -e -o pipefail
umask 077
cd "$1"
names=$3

x509() { openssl x509 -noout -nameopt RFC2253 "$@"; }
public() { openssl pkey -pubout -in key.pem; }
dates() { x509 -in certificate.pem -dates | cut -d= -f2-; }

case $2 in
  whose)
    if cmp -s acme.pem certificate.pem; then
      echo authority
      dates
      stat -c %Y acme.pem
      cat acme.names
    elif [ "$(x509 -in certificate.pem -subject -issuer | cut -d= -f2- | uniq)" = O=jupyter-clouds ]; then
      echo ours
    else
      echo yours
    fi
    ;;
  request)
    # The names alone: an address may be in no subject.
    openssl req -new -key key.pem -subj / -config <(printf '%s\n' '[req]' distinguished_name=x '[x]') \
      -addext "subjectAltName=${names//IP Address/IP}"
    ;;
  store)
    cat >new.pem
    # The whole of it, and of this key: what is shown has to work.
    [ "$(public)" = "$(x509 -in new.pem -pubkey)" ]
    printf '%s\n' "$names" >acme.names
    cp new.pem acme.pem
    sync .
    mv new.pem certificate.pem
    ;;
esac
