package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"postern/bridge/config"
)

func noEnv(string) string { return "" }

// complete is the smallest config that is accepted.
const complete = `homeserver:
    address: http://localhost:8008
    domain: example.org
appservice:
    as_token: aaaa
    hs_token: bbbb
public:
    url: https://postern.example.org
gatekeepers:
    - id: whatsapp
      name: WhatsApp
      product: whatsapp
      integrator: 7
      enlist_url: https://gatekeeper.example.com/3p/interop_reg
      chat_url: wss://gatekeeper.example.com/ws/chat
      media_url: https://media.example.com/
      root_key: 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
      audience: https://gatekeeper.example.com
      protocol_version: 1.0.3
`

func TestExampleInTheRootIsTheEmbeddedOne(t *testing.T) {
	file, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != config.Example() {
		t.Error("config.example.yaml differs from bridge/config/example.yaml; run `make docs`")
	}
}

func TestDefaultsAreThoseOfTheExample(t *testing.T) {
	cfg, err := config.Parse("/etc/postern/config.yaml", []byte(complete), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Public.MediaStore != config.StoreDirectory || cfg.Public.MediaDir != "/etc/postern/media" || cfg.Public.MediaDays != 30 || cfg.FFmpeg != "ffmpeg" ||
		cfg.Limits.FileMiB != 100 || cfg.Limits.Transfers != 4 || cfg.Limits.MediaUserMiB != 1024 || cfg.Limits.MediaTotalMiB != 10240 {
		t.Errorf("defaults for files: %+v %q %+v", cfg.Public, cfg.FFmpeg, cfg.Limits)
	}
	if proxies, err := cfg.Public.Proxies(); err != nil || fmt.Sprint(proxies) != "[127.0.0.1/32 ::1/128]" {
		t.Errorf("trusted proxies: %v, %v", proxies, err)
	}
	if cfg.Appservice.BotUsername != "postern" || cfg.Logging.Level != "info" || cfg.Limits.LoginsAtOnce != 64 {
		t.Errorf("defaults are missing: %+v %+v", cfg.Logging, cfg.Limits)
	}
	if cfg.Database.URI != "/etc/postern/postern.db" || cfg.SecretKeyFile != "/etc/postern/postern.key" {
		t.Errorf("paths are not relative to the config: %s %s", cfg.Database.URI, cfg.SecretKeyFile)
	}
	gatekeeper, err := cfg.Gatekeepers[0].Interop()
	if err != nil {
		t.Fatal(err)
	}
	if gatekeeper.RootKey[0] != 1 || gatekeeper.RootKey[31] != 0x20 || gatekeeper.ProtocolVersion != [3]uint32{1, 0, 3} {
		t.Errorf("gatekeeper was converted to %+v", gatekeeper)
	}
	if got := gatekeeper.MediaURL.JoinPath("/v/t1").String(); got != "https://media.example.com/v/t1" {
		t.Errorf("files would be fetched from %s", got)
	}
}

func TestFFmpegIsANameOrAFile(t *testing.T) {
	for written, want := range map[string]string{
		"": "", "ffmpeg-7": "ffmpeg-7", "/opt/bin/ffmpeg": "/opt/bin/ffmpeg", "bin/ffmpeg": "/etc/postern/bin/ffmpeg",
		"./ffmpeg": "/etc/postern/ffmpeg",
	} {
		cfg, err := config.Parse("/etc/postern/config.yaml", []byte(complete+"ffmpeg: '"+written+"'\n"), noEnv)
		if err != nil || cfg.FFmpeg != want {
			t.Errorf("%q became %q, %v", written, cfg.FFmpeg, err)
		}
	}
}

func TestLaterSourcesWin(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"POSTERN_APPSERVICE_AS_TOKEN":      "from-the-environment",
		"POSTERN_APPSERVICE_HS_TOKEN_FILE": token,
		"POSTERN_SECRET_KEY_FILE":          "/run/secrets/key",
		"POSTERN_LIMITS_TRANSFERS":         "7",
		"POSTERN_ADMINS":                   "@a:example.org,@b:example.org",
		"POSTERN_LOGGING_FILE":             "log/postern.log",
		"POSTERN_DATABASE_URI":             "/var/lib/postern.db",
		"POSTERN_UNRELATED_ANSWER":         "42",
	}
	cfg, err := config.Parse("/etc/config.yaml", []byte(complete+"admins: ['@c:example.org']\n"), func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range [][2]string{
		{cfg.Appservice.ASToken, "from-the-environment"},
		{cfg.Appservice.HSToken, "from-a-file"},
		{cfg.SecretKeyFile, "/run/secrets/key"},
		{cfg.Database.URI, "/var/lib/postern.db"},
		{fmt.Sprint(cfg.Limits.Transfers, cfg.Admins), "7 [@a:example.org @b:example.org]"},
		{cfg.Logging.File, "/etc/log/postern.log"},
	} {
		if got[0] != got[1] {
			t.Errorf("got %q, want %q", got[0], got[1])
		}
	}
}

func TestEveryKeyHasAVariableOfItsOwn(t *testing.T) {
	asked := make(map[string]int)
	_, err := config.Parse("config.yaml", []byte(complete), func(name string) string { asked[name]++; return "" })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"POSTERN_HOMESERVER_ADDRESS", "POSTERN_PUBLIC_S3_SECRET_KEY_FILE", "POSTERN_GATEKEEPERS_FILE"} {
		if asked[name] != 1 {
			t.Errorf("%s is asked for %d times", name, asked[name])
		}
	}
	for name, times := range asked {
		if times != 1 && name != "POSTERN_SECRET_KEY_FILE" { // the file that secret_key_file names
			t.Errorf("%s belongs to %d keys", name, times)
		}
	}
	environ := []string{"POSTERN_HOMESERVER_ADRESS=x", "POSTERN_AS_TOKEN=a", "POSTERN_DATABASE_URI_FILE=/a", "POSTERN_ADMINS=", "HOME=/"}
	if unknown := fmt.Sprint(config.UnknownVariables(environ)); unknown != "[POSTERN_AS_TOKEN POSTERN_HOMESERVER_ADRESS]" {
		t.Errorf("unknown are %s", unknown)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(complete, old) {
			t.Fatalf("%q is not in the config", old)
		}
		return strings.Replace(complete, old, new, 1)
	}
	inS3 := func(bucket string) string { return replace("public:", "public:\n    media_store: s3\n    s3: "+bucket) }
	tests := []struct {
		name string
		yaml string
		env  map[string]string
		want string
	}{
		{"unknown key", replace("domain:", "domian:"), nil, `c.yaml:3: unknown key "domian"; is "domain" meant?`},
		{"unknown section", complete + "network:\n    x: 1\n", nil, `c.yaml:20: unknown key "network"; ` + "`postern config` prints"},
		{"key in a wrong section", replace("    domain:", "    as_token: a\n    domain:"), nil, `c.yaml:3: unknown key "as_token"; is "double_puppet.as_token" meant?`},
		{"unknown key of a gatekeeper", replace("audience:", "audiance:"), nil, `c.yaml:18: unknown key "audiance"; is "audience" meant?`},
		{"text for a number", complete + "limits:\n    transfers: many\n", nil, "c.yaml:21: limits.transfers has to be a whole number"},
		{"text for a switch", inS3("{insecure: very}"), nil, "c.yaml:9: public.s3.insecure has to be true or false"},
		{"text for a section", complete + "limits: none\n", nil, "c.yaml:20: limits has to be a section"},
		{"text for a list", complete + "admins: '@a:example.org'\n", nil, "c.yaml:20: admins has to be a list"},
		{"list for a text", complete + "on_leave: [keep]\n", nil, "c.yaml:20: on_leave has to be a text"},
		{"mistake in the environment", complete, map[string]string{"POSTERN_ON_LEAVE": "sleep"}, "POSTERN_ON_LEAVE: on_leave is unknown: write keep or close"},
		{"wrong type in the environment", complete, map[string]string{"POSTERN_LIMITS_TRANSFERS": "many"}, "POSTERN_LIMITS_TRANSFERS:1: limits.transfers has to be a whole number"},
		{"admin in the environment", complete, map[string]string{"POSTERN_ADMINS": "@a:example.org, bob"}, "POSTERN_ADMINS: admins[1] is not a Matrix ID"},
		{"unknown key in the environment", complete, map[string]string{"POSTERN_GATEKEEPERS": "[{adience: a}]"}, `POSTERN_GATEKEEPERS:1: unknown key "adience"; is "audience" meant?`},
		{"wrong type", complete + "limits:\n    logins_at_once: [1]\n", nil, "c.yaml:21: limits.logins_at_once has to be a whole number"},
		{"broken syntax", "homeserver: [", nil, "c.yaml"},
		{"nothing at all", "", nil, "homeserver.address is missing"},
		{"address without scheme", replace("http://localhost:8008", "localhost"), nil, "c.yaml:2: homeserver.address is not a URL: write http:// or https://host"},
		{"address with password", replace("http://localhost:8008", "http://a:b@localhost"), nil, "homeserver.address has more than host and path"},
		{"whole Matrix ID as domain", replace("example.org", "'@a:example.org'"), nil, "c.yaml:3: homeserver.domain is not a server name"},
		{"equal tokens", replace("bbbb", "aaaa"), nil, "c.yaml:6: appservice.hs_token is the same as as_token"},
		{"token with space", replace("bbbb", "b b"), nil, "appservice.hs_token has characters"},
		{"template without placeholder", replace("    as_token", "    username_template: x_\n    as_token"), nil, "c.yaml:5: appservice.username_template is not a template"},
		{"template that matches the bot", replace("    as_token", "    username_template: post{{.}}\n    as_token"), nil, "c.yaml:5: appservice.username_template matches the bot"},
		{"integrator too large", replace("integrator: 7", "integrator: 65536"), nil, "c.yaml:13: gatekeepers[0].integrator is 65536: write a number from 1 to 65535"},
		{"short root key", replace("1e1f20", "1e1f"), nil, "c.yaml:17: gatekeepers[0].root_key is not a key of 32 bytes"},
		{"unknown product", replace("product: whatsapp", "product: icq"), nil, "c.yaml:12: gatekeepers[0].product is unknown"},
		{"http chat channel", replace("wss://", "https://"), nil, "gatekeepers[0].chat_url is not a URL: write wss:// or ws://host"},
		{"media host missing", replace("media_url: https://media.example.com/", "media_url: ''"), nil, "c.yaml:16: gatekeepers[0].media_url is not a URL: write https:// or http://host"},
		{"media host without scheme", replace("https://media", "media"), nil, "gatekeepers[0].media_url is not a URL"},
		{"media host with path", replace("media.example.com/", "media.example.com/v"), nil, "gatekeepers[0].media_url has a path: write https:// or http://host"},
		{"media host with query", replace("media.example.com/", "media.example.com?a=b"), nil, "gatekeepers[0].media_url has more than host and path"},
		{"no folder for files", replace("public:", "public:\n    media_dir: ''"), nil, "c.yaml:8: public.media_dir is missing"},
		{"files kept too long", replace("public:", "public:\n    media_days: 91"), nil, "c.yaml:8: public.media_days is 91: write a number from 1 to 90"},
		{"proxy with a port", replace("public:", "public:\n    trusted_proxies: ['127.0.0.1:80']"), nil, "c.yaml:8: public.trusted_proxies[0] is not an address"},
		{"proxy by name", replace("public:", "public:\n    trusted_proxies: [10.0.0.0/8, localhost]"), nil, "public.trusted_proxies[1] is not an address"},
		{"files of no size", complete + "limits:\n    file_mib: 0\n", nil, "limits.file_mib is 0: write a number from 1 to 2048"},
		{"files too large", complete + "limits:\n    file_mib: 2049\n", nil, "limits.file_mib is 2049"},
		{"less room than a file has", complete + "limits:\n    media_total_mib: 99\n", nil, "c.yaml:21: limits.media_total_mib is 99, less than one file may have: write at least 100"},
		{"a user with less room than a file", complete + "limits:\n    file_mib: 2000\n", nil, "limits.media_user_mib is 1024, less than one file"},
		{"negative room", complete + "limits:\n    media_user_mib: -1\n", nil, "limits.media_user_mib is -1: write a number from 0"},
		{"a user with more room than all", complete + "limits:\n    media_total_mib: 500\n", nil, "limits.media_user_mib is more than limits.media_total_mib"},
		{"unknown store", replace("public:", "public:\n    media_store: tape"), nil, "c.yaml:8: public.media_store is unknown: write directory or s3"},
		{"a bucket that is not used", replace("public:", "public:\n    s3: {bucket: files}"), nil, "c.yaml:8: public.s3.bucket is set, but files are kept in a directory"},
		{"bucket without a server", replace("public:", "public:\n    media_store: s3"), nil, "public.s3.endpoint is missing"},
		{"bucket without a name", inS3("{endpoint: localhost, access_key: a, secret_key: b}"), nil, "public.s3.bucket is missing"},
		{"bucket without keys", inS3("{endpoint: localhost, bucket: files}"), nil, "public.s3.secret_key is missing: write it, or set POSTERN_PUBLIC_S3_SECRET_KEY"},
		{"bucket's server as URL", inS3("{endpoint: 'https://s3.example.org', bucket: files, access_key: a, secret_key: b}"), nil, "c.yaml:9: public.s3.endpoint is a URL: write the host only"},
		{"bucket's server with path", inS3("{endpoint: s3.example.org/files, bucket: files, access_key: a, secret_key: b}"), nil, "public.s3.endpoint is not a host"},
		{"bucket with slash", inS3("{endpoint: localhost, bucket: files/x, access_key: a, secret_key: b}"), nil, "public.s3.bucket is not a bucket's name"},
		{"prefix with slash before", inS3("{endpoint: localhost, bucket: files, access_key: a, secret_key: b, prefix: /x}"), nil, "public.s3.prefix is not usable"},
		{"unknown key of the bucket", inS3("{endpiont: localhost}"), nil, "unknown key \"endpiont\""},
		{"no transfers", complete + "limits:\n    transfers: 0\n", nil, "limits.transfers is 0: write a number from 1 to 64"},
		{"too many transfers", complete + "limits:\n    transfers: 65\n", nil, "limits.transfers is 65"},
		{"two part version", replace("1.0.3", "'1.0'"), nil, "gatekeepers[0].protocol_version is not a version"},
		{"push without keys", replace("      audience", "      push_issuer: WHATSAPP\n      audience"), nil, "gatekeepers[0].push_keys_url is missing"},
		{"push without issuer", replace("      audience", "      push_keys_url: https://a.example\n      audience"), nil, "gatekeepers[0].push_issuer is missing"},
		{"connection", replace("      audience", "      connection: sometimes\n      audience"), nil, "c.yaml:18: gatekeepers[0].connection is unknown"},
		{"on demand without pushes", replace("      audience", "      connection: on-demand\n      audience"), nil, "gatekeepers[0].connection needs pushes"},
		{"idle for a day", replace("      audience", "      idle_seconds: 86400\n      audience"), nil, "gatekeepers[0].idle_seconds is 86400: write a number from 1 to 3600"},
		{"push keys in a file", replace("      audience", "      push_issuer: A\n      push_keys_url: file:///a\n      audience"), nil, "c.yaml:19: gatekeepers[0].push_keys_url is not a URL"},
		{"gatekeeper id with underscore", replace("id: whatsapp", "id: whats_app"), nil, "c.yaml:10: gatekeepers[0].id is not a short name"},
		{"admin without domain", complete + "admins: [alice]\n", nil, "c.yaml:20: admins[0] is not a Matrix ID: write it as @name:example.org"},
		{"short provisioning secret", complete, map[string]string{"POSTERN_PROVISIONING_SHARED_SECRET": "short"}, "provisioning.shared_secret is too short"},
		{"secret twice", complete, map[string]string{"POSTERN_APPSERVICE_AS_TOKEN": "a", "POSTERN_APPSERVICE_AS_TOKEN_FILE": "b"}, "both POSTERN_APPSERVICE_AS_TOKEN and POSTERN_APPSERVICE_AS_TOKEN_FILE are set"},
		{"secret file missing", complete, map[string]string{"POSTERN_APPSERVICE_AS_TOKEN_FILE": "/does/not/exist"}, "POSTERN_APPSERVICE_AS_TOKEN_FILE"},
		{"sqlite with options", complete + "database:\n    uri: file:x.db?a=b\n", nil, "database.uri is not a file name"},
		{"postgres without scheme", complete + "database:\n    type: postgres\n    uri: hunter2@host\n", nil, "database.uri is not a PostgreSQL address"},
		{"one listener for both", replace("public:", "public:\n    listen: 127.0.0.1:29340"), nil, "c.yaml:8: public.listen is the same as appservice.listen"},
		{"admin listener of another", complete + "admin:\n    listen: 127.0.0.1:29400\n", nil, "c.yaml:21: admin.listen is taken by another listener"},
		{"admin page at a path", complete + "admin:\n    url: https://example.org/admin\n", nil, "c.yaml:21: admin.url has a path: write https:// or http://host"},
		{"admin page without scheme", complete + "admin:\n    url: admin.example.org\n", nil, "c.yaml:21: admin.url is not a URL: write https:// or http://host"},
		{"admin listener without port", complete + "admin:\n    listen: localhost\n", nil, "c.yaml:21: admin.listen is not an address to listen on"},
		{"unknown log level", complete + "logging:\n    level: loud\n", nil, "c.yaml:21: logging.level is unknown"},
		{"unknown component", complete + "logging:\n    levels:\n        interops: debug\n", nil, "c.yaml:22: logging.levels.interops has no component interops: write interop; the components are bridge, homeserver"},
		{"component nothing like any", complete + "logging: {levels: {everything: debug}}\n", nil, "logging.levels.everything has no component everything: write one of bridge, homeserver"},
		{"unknown level of a component", complete + "logging: {levels: {interop: loud}}\n", nil, "logging.levels.interop has an unknown level for interop: write trace"},
		{"unknown component in the environment", complete, map[string]string{"POSTERN_LOGGING_LEVELS": "interop=debug,matrix=warn"}, "POSTERN_LOGGING_LEVELS: logging.levels has no component matrix"},
		{"no map in the environment", complete, map[string]string{"POSTERN_LOGGING_LEVELS": "debug"}, "logging.levels"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := config.Parse("c.yaml", []byte(test.yaml), func(name string) string { return test.env[name] })
			if err == nil {
				t.Fatal("the mistake is not noticed")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error does not say %q:\n%v", test.want, err)
			}
		})
	}
}

func TestBucketIsConfiguredWithItsSecretsInTheEnvironment(t *testing.T) {
	text := strings.Replace(complete, "public:", "public:\n    media_store: s3\n    s3:\n        endpoint: localhost:9000\n        bucket: files\n        insecure: true", 1)
	env := map[string]string{"POSTERN_PUBLIC_S3_ACCESS_KEY": "access", "POSTERN_PUBLIC_S3_SECRET_KEY": "hunter2"}
	cfg, err := config.Parse("c.yaml", []byte(text), func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := config.S3{Endpoint: "localhost:9000", Bucket: "files", AccessKey: "access", SecretKey: "hunter2", Prefix: "postern/", Insecure: true}
	if cfg.Public.S3 != want || cfg.Public.MediaStore != config.StoreS3 {
		t.Errorf("got %+v", cfg.Public)
	}
}

func TestErrorsDoNotShowSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, text := range []string{
		strings.Replace(complete, "aaaa", "'"+secret+" x'", 1),
		complete + "database:\n    type: postgres\n    uri: " + secret + "\n",
		complete + "limits: " + secret + "\n",
		complete + "limits:\n    logins_at_once: " + secret + "\n",
	} {
		_, err := config.Parse("c.yaml", []byte(text), noEnv)
		if err == nil {
			t.Fatal("the mistake is not noticed")
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error shows the secret: %v", err)
		}
	}
}

func TestHugeFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("#", 2<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path, noEnv); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(complete)
	f.Add(config.Example())
	f.Add("gatekeepers: [&a [*a]]")
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := config.Parse("c.yaml", []byte(text), noEnv)
		if err != nil {
			return
		}
		if cfg.Homeserver.Domain == "" || len(cfg.Gatekeepers) == 0 {
			t.Errorf("accepted without required keys: %q", text)
		}
		for _, gatekeeper := range cfg.Gatekeepers {
			if _, err = gatekeeper.Interop(); err != nil {
				t.Errorf("validated gatekeeper cannot be converted: %v", err)
			}
		}
	})
}

func TestLevelsOfComponentsAreReadFromTheFileAndTheEnvironment(t *testing.T) {
	file := complete + "logging:\n    level: warn\n    levels: {interop: trace}\n"
	for env, want := range map[string]zerolog.Level{"": zerolog.TraceLevel, "interop=debug, database=error": zerolog.DebugLevel, "{interop: info}": zerolog.InfoLevel} {
		cfg, err := config.Parse("c.yaml", []byte(file), func(name string) string {
			if name == "POSTERN_LOGGING_LEVELS" {
				return env
			}
			return ""
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Logging.LevelOf(config.ComponentInterop); got != want {
			t.Errorf("%q: %s", env, got)
		}
		if got := cfg.Logging.LevelOf(config.ComponentBridge); got != zerolog.WarnLevel {
			t.Errorf("%q: a component without a level has %s", env, got)
		}
	}
}

func TestTheAdminPageHasAnAddress(t *testing.T) {
	for want, admin := range map[string]config.Admin{
		"":                          {URL: "https://admin.example.org"},
		"https://admin.example.org": {Listen: "0.0.0.0:29350", URL: "https://admin.example.org/"},
		"http://127.0.0.1:29350":    {Listen: "127.0.0.1:29350"},
		"http://localhost:29350":    {Listen: "0.0.0.0:29350"},
		"http://localhost:1":        {Listen: "[::]:1"},
		"http://localhost:2":        {Listen: ":2"},
	} {
		if got := admin.PageURL(); got != want {
			t.Errorf("%+v has %q, want %q", admin, got, want)
		}
	}
}
