#!/usr/bin/env bash
# Makes what silos need to trust each other: one CA, and for each host a certificate for both sides of a connection.
#   deploy/certificates.sh DIR HOST...     DIR/ca.pem, DIR/HOST.pem, DIR/HOST.key; a HOST may be NAME=IP
# Copy to each host its own two files and ca.pem; keep DIR/ca.key where nobody else reads it. Again with the same DIR: the same CA, certificates anew.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
command -v openssl >/dev/null || { echo "certificates: no openssl on the PATH" >&2; exit 2; }
directory=$1
shift
umask 077
mkdir -p "$directory"
cd "$directory"

if [ ! -f ca.key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650 -subj "/CN=EnergyGrid CA" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
fi
for host in "$@"; do
    name=${host%%=*}
    names="DNS:$name"
    case $host in *=*) names="$names,IP:${host#*=}" ;; esac
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" -subj "/CN=$name" 2>/dev/null
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -out "$name.pem" -days 825 2>/dev/null -extfile <(
        printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "$names"
    )
    rm -f "$name.csr"
    echo "$directory/$name.pem"
done
