package config_test

import (
	"os"
	"strings"
	"testing"

	"postern/bridge/config"
)

func TestTheReferenceIsUpToDate(t *testing.T) {
	document, err := os.ReadFile("../../docs/configuration-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(document) != config.Reference() {
		t.Error("docs/configuration-reference.md is not what the program says: run `make docs`")
	}
}

func TestTheReferenceHasEveryKey(t *testing.T) {
	reference := config.Reference()
	for _, path := range config.Paths() {
		if !strings.Contains(reference, "- `"+path+"`: ") {
			t.Errorf("%s is missing", path)
		}
	}
	for _, want := range []string{
		"- `public.s3.insecure`: true or false, default `false`, `POSTERN_PUBLIC_S3_INSECURE`",
		"- `homeserver.domain`: text, default empty, `POSTERN_HOMESERVER_DOMAIN`",
		"- `public.trusted_proxies`: list, default `[127.0.0.1, \"::1\"]`, `POSTERN_PUBLIC_TRUSTED_PROXIES`",
		"- `logging.levels`: names and values, default `{}`, `POSTERN_LOGGING_LEVELS`",
		"- `gatekeepers[].integrator`: whole number, such as `1`",
		"## `secret_key`, `secret_key_file`\n\nThe key that private keys",
		"### `appservice.as_token`, `appservice.hs_token`\n\nRequired. The two tokens",
		"### `public.s3`\n\nFor s3: a bucket",
		"#### `public.s3.bucket`",
	} {
		if !strings.Contains(reference, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(reference, ": ,") {
		t.Error("a type is missing")
	}
}
