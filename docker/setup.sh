#!/bin/sh
# Writes what the services of compose.yaml and compose.dendrite.yaml need, the first time they are started: the sandbox's
# config, the bridge's, and the homeserver's with the bridge's registrations. What exists is left alone; to begin anew,
# delete the volumes with `docker compose down --volumes`.
#
# It runs as root in the image postern:full, with the services' volumes below /volumes:
#   bridge, sandbox   /data of the two, which run as 29340
#   homeserver        /data of the homeserver
#   secrets           what two services have to share
# Environment: HOMESERVER is synapse or dendrite, DOMAIN the homeserver's name.
set -eu
umask 077
cd /volumes

if [ -e bridge/config.yaml ]; then
	echo "Everything is set up already."
	exit 0
fi

# seed is the private half of the key that signs the homeserver's events.
seed() { head -c 32 /dev/urandom | base64 | tr -d '='; }
secret() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

cat > sandbox/gatekeeper.yaml <<END
listen: 0.0.0.0:29410
address: sandbox:29410
control: 127.0.0.1:29411
phone: 0.0.0.0:29412
expose_phone: true
partners:
    - integrator: 1
      issuer: http://bridge:29400
      audience: sandbox-whatsapp
END
postern gatekeeper describe -c sandbox/gatekeeper.yaml > sandbox/whatsapp.yaml

set -- --offline --dir bridge/new \
	--homeserver http://homeserver:8008 --domain "$DOMAIN" --admin "@admin:$DOMAIN" \
	--listen 0.0.0.0:29340 --address http://bridge:29340 \
	--public-listen 0.0.0.0:29400 --public-url http://bridge:29400 --admin-listen 0.0.0.0:29350 \
	--gatekeeper sandbox/whatsapp.yaml
case $HOMESERVER in
synapse)
	password=$(secret)
	printf %s "$password" > secrets/database-password
	chmod 644 secrets/database-password # PostgreSQL reads it as a user of its own; nobody else has this volume
	set -- "$@" --database-type postgres --database-uri "postgres://postgres:$password@database/postern?sslmode=disable"
	sed -e "s|DOMAIN|$DOMAIN|; s|PASSWORD|$password|; s|SECRET|$(secret)|" /docker/synapse.yaml > homeserver/homeserver.yaml
	echo "ed25519 a_1 $(seed)" > homeserver/signing.key
	owner=991:991 # the image's own
	;;
dendrite)
	sed -e "s|DOMAIN|$DOMAIN|; s|SECRET|$(secret)|" /docker/dendrite.yaml > homeserver/dendrite.yaml
	printf -- '-----BEGIN MATRIX PRIVATE KEY-----\nKey-ID: ed25519:1\n\n%s=\n-----END MATRIX PRIVATE KEY-----\n' "$(seed)" \
		> homeserver/matrix_key.pem
	owner=0:0
	;;
esac
rm -rf bridge/new # of a start that was interrupted
postern init "$@" > /dev/null # what it says to do by hand is done here

cp bridge/new/registration.yaml bridge/new/doublepuppet.yaml homeserver/
chown -R "$owner" homeserver
chown -R 29340:29340 bridge sandbox
# The config last: with it, everything is there.
mv bridge/new/registration.yaml bridge/new/doublepuppet.yaml bridge/
mv bridge/new/config.yaml bridge/
rmdir bridge/new
