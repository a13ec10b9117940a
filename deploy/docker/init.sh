#!/bin/sh
# Create a CA, certificates, the gossip key and the administrator's API key, once, before the first start. The CA key stays in /secrets/ca, which
# masters and agents cannot read.
set -eu
umask 077
cd /secrets

[ -e ca/ca.crt ] || ffrtmp certs init --dir ca
issue() {
	role=$1 name=$2
	[ -e "$role/$name.crt" ] && return
	ffrtmp certs issue --dir ca --role "$role" --name "$name" --host "$name"
	mv "ca/$name.crt" "ca/$name.key" "$role/"
}
for n in 1 2 3; do issue master "master-$n"; done
for n in 1 2; do issue agent "agent-$n"; done

[ -e master/gossip.key ] || head -c 32 /dev/urandom | base64 >master/gossip.key
[ -e master/api-key ] || head -c 32 /dev/urandom | base64 >master/api-key
cp ca/ca.crt master/
cp ca/ca.crt agent/
chown -R 65532:65532 master agent
