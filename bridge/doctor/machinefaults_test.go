package doctor_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/bridge/doctor"
	"postern/database"
	"postern/interop"
	"postern/provider"
)

// gatekeeperPlain is another web server, without TLS, that listens on all addresses and knows nothing.
func (i *installation) gatekeeperPlain() string {
	i.t.Helper()
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	i.must(err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	i.t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	i.must(err)
	return "http://127.0.0.1:" + port
}

// stranger is a web server with a certificate of nobody.
func (i *installation) stranger() string {
	i.t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*newAuthority(i.t).certify(i.t, time.Now().AddDate(1, 0, 0), "127.0.0.1")}}
	server.Config.ErrorLog = quiet
	server.StartTLS()
	i.t.Cleanup(server.Close)
	return server.URL
}

// hostName is a name or address of this machine that is no loopback.
func hostName(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	cannotRun("this machine has no address but its own")
	t.Skip("!!! NOT RUN: this machine has no address but its own")
	return ""
}

func record(handler http.Handler, r *http.Request) string {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	return recorder.Body.String()
}

var fileFaults = []provoked{
	{"a config for everybody to read", func(i *installation) { i.must(os.Chmod(i.options.ConfigFile, 0o644)) }, "files.config", doctor.Fault, "read", "chmod 600"},
	{"a config for everybody to change", func(i *installation) { i.must(os.Chmod(i.options.ConfigFile, 0o602)) }, "files.config", doctor.Fault, "change", "chmod 600"},
	{"a config that is gone", func(i *installation) { i.must(os.Remove(i.options.ConfigFile)) }, "files.config", doctor.Fault, "not there", "user"},
	{"a registration for everybody", func(i *installation) { i.must(os.Chmod(filepath.Join(i.dir, "registration.yaml"), 0o644)) }, "files.registration", doctor.Fault, "tokens", "chmod 600"},
	{"a database for everybody", func(i *installation) { i.must(os.Chmod(i.cfg.Database.URI, 0o644)) }, "files.private", doctor.Fault, "postern.db", "chmod 600"},
	{"hosted files for everybody", func(i *installation) { i.must(os.Chmod(i.cfg.Public.MediaDir, 0o755)) }, "files.private", doctor.Fault, "media", "chmod 700"},
	{"a key that another user made", func(i *installation) { i.machine.Owners = map[string]int{"postern.key": 4711} }, "files.owner", doctor.Fault, "belongs to user 4711", "chown"},
	{"files of another user", func(i *installation) {
		i.machine.Owners = map[string]int{}
		for _, name := range []string{"postern.db", "postern.db-wal", "postern.db-shm", "postern.key", "media"} {
			i.machine.Owners[name] = 4711
		}
	}, "files.user", doctor.Note, "belong to user 4711", "sudo -u"},
	{"a full disk", func(i *installation) { i.machine.Free = 10 << 20 }, "disk.space", doctor.Fault, "Only 10.0 MiB free for the database and hosted files", "Free some space"},
	{"a disk that is nearly full", func(i *installation) { i.machine.Free = 600 << 20 }, "disk.space", doctor.Warning, "Only 600.0 MiB", "Free some space"},
	{"a disk with too many files", func(i *installation) { i.machine.FreeFiles = 10 }, "disk.space", doctor.Fault, "Only 10 more files", "Remove"},
	{"a folder for the log that is not there", func(i *installation) { i.cfg.Logging.File = filepath.Join(i.dir, "none", "log") }, "disk.space", doctor.Fault, "the log", "Make the folder"},
	{"SQLite on a network disk", func(i *installation) { i.machine.Network = true }, "disk.network", doctor.Warning, "network file system", "PostgreSQL"},
	{"a registration of before", func(i *installation) { i.edit("registration.yaml", i.cfg.Appservice.ASToken, "other") }, "registration.equal", doctor.Fault, "as_token", "restart both"},
	{"a registration without devices", func(i *installation) {
		i.edit("registration.yaml", "io.element.msc4190: true", "io.element.msc4190: false")
	}, "registration.equal", doctor.Fault, "io.element.msc4190", "homeserver"},
	{"a registration that is no YAML", func(i *installation) { i.edit("registration.yaml", "id: postern", "id: [") }, "registration.equal", doctor.Fault, "damaged", "postern init"},
	{"no registration beside the config", func(i *installation) { i.must(os.Remove(filepath.Join(i.dir, "registration.yaml"))) }, "registration.equal", doctor.Note, "not compared", ""},
	{"a double puppet registration of before", func(i *installation) { i.edit("doublepuppet.yaml", i.cfg.DoublePuppet.ASToken, "other") }, "registration.double_puppet", doctor.Fault, "as_token", "restart both"},
	{"a double puppet registration that is no YAML", func(i *installation) { i.edit("doublepuppet.yaml", "id: postern", "id: [") }, "registration.double_puppet", doctor.Fault, "not YAML", "postern init"},
}

var databaseFaults = []provoked{
	{"a file that is no database", func(i *installation) {
		i.cfg.Database.URI = filepath.Join(i.dir, "other.db")
		i.must(os.WriteFile(i.cfg.Database.URI, []byte("this is not an SQLite database, but long enough to be looked at closely"), 0o600))
	}, "database.open", doctor.Fault, "not a database", "postern restore"},
	{"no database yet", func(i *installation) { i.cfg.Database.URI = filepath.Join(i.dir, "other.db") }, "database.open", doctor.Note, "first start", ""},
	{"a newer database", func(i *installation) { i.exec("UPDATE postern_version SET version = version + 1") }, "database.schema", doctor.Fault, "newer version", "newer version"},
	{"an older database", func(i *installation) { i.exec("UPDATE postern_version SET version = version - 1") }, "database.schema", doctor.Note, "upgrades", ""},
	{"a database without a table", func(i *installation) { i.exec("DROP TABLE postern_secret_check") }, "database.schema", doctor.Fault, "no such table", "log"},
	{"a backup in its place", func(i *installation) {
		i.must(i.db.KV().Set(context.Background(), "database.copy", []byte(time.Now().UTC().Format(time.RFC3339))))
	}, "database.origin", doctor.Fault, "is a backup", "postern restore --in-place"},
	{"a disk that is slow", func(i *installation) { i.machine.Write = 80 * time.Millisecond }, "database.write", doctor.Warning, "80ms", "faster"},
	{"a disk that is very slow", func(i *installation) { i.machine.Write = time.Second }, "database.write", doctor.Fault, "1s", "faster"},
	{"another secret key", func(i *installation) {
		i.must(os.WriteFile(i.cfg.SecretKeyFile, []byte("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), 0o600))
	}, "secret.key", doctor.Fault, "not the one that the database was made with", "your copy"},
	{"a secret key that is gone", func(i *installation) { i.must(os.Remove(i.cfg.SecretKeyFile)) }, "secret.key", doctor.Fault, "is missing", "your copy"},
	{"a secret key that others can read", func(i *installation) { i.must(os.Chmod(i.cfg.SecretKeyFile, 0o640)) }, "secret.key", doctor.Fault, "Others can read", "chmod 600"},
	{"half a secret key", func(i *installation) { i.must(os.WriteFile(i.cfg.SecretKeyFile, []byte("0001"), 0o600)) }, "secret.key", doctor.Fault, "is not one", "your copy"},
	{"neither a secret key nor a database", func(i *installation) {
		i.cfg.Database.URI, i.cfg.SecretKeyFile = filepath.Join(i.dir, "other.db"), filepath.Join(i.dir, "other.key")
	}, "secret.key", doctor.Note, "first start", ""},
	{"a secret key that others can read, and no database", func(i *installation) {
		i.cfg.Database.URI = filepath.Join(i.dir, "other.db")
		i.must(os.Chmod(i.cfg.SecretKeyFile, 0o604))
	}, "secret.key", doctor.Fault, "Others can read", "chmod 600"},
	{"PostgreSQL that is away", func(i *installation) {
		i.cfg.Database.Type, i.cfg.Database.URI = "postgres", "postgres://postern:hidden@"+closedPort(i.t)+"/postern?sslmode=disable"
	}, "database.open", doctor.Fault, "refused", "Start PostgreSQL"},
}

var otherFaults = []provoked{
	{"an old signing key", func(i *installation) {
		i.exec("UPDATE postern_provider_key SET created = $1", time.Now().AddDate(-1, 0, -10).UnixNano())
	}, "keys.signing", doctor.Warning, "375 days old", "postern keys make"},
	{"a next signing key that was forgotten", func(i *installation) {
		_, err := provider.MakeNextKey(context.Background(), i.db.ProviderKeys(), func() time.Time { return time.Now().AddDate(0, -1, 0) })
		i.must(err)
	}, "keys.signing", doctor.Warning, "never used", "postern keys rotate"},
	{"a damaged signing key", func(i *installation) {
		i.exec("INSERT INTO postern_provider_key (kid, state, private_key, created, published) VALUES ('next', 'next', 'x', $1, $1)", time.Now().AddDate(0, -1, 0).UnixNano())
	}, "keys.signing", doctor.Fault, "cannot be read", "postern restore"},
	{"no signing key", func(i *installation) { i.exec("DELETE FROM postern_provider_key") }, "keys.signing", doctor.Note, "no key yet", ""},
	{"a message that waits", func(i *installation) {
		account := i.enlist(time.Now())
		i.exec("INSERT INTO postern_outgoing (account, seq, id, chat, ref, state, created) VALUES ($1, 1, 'A', 'b@interop', 'r', 0, $2)", account, time.Now().Add(-5*time.Hour).UnixNano())
	}, "users.waiting", doctor.Warning, "Messages that wait for WhatsApp: 1, the oldest for 5 hours", "postern users"},
	{"messages that cannot be decrypted", func(i *installation) {
		i.counts(`postern_messages_total{direction="to_matrix",gatekeeper="wa",kind="other",result="undecryptable"} 12`,
			`postern_messages_total{direction="to_matrix",gatekeeper="wa",kind="text",result="delivered"} 88`)
	}, "users.undecryptable", doctor.Warning, "Of 100 messages from WhatsApp since the bridge started, 12", "postern restore"},
	{"a user who is nearly forgotten", func(i *installation) { i.enlist(time.Now().AddDate(0, 0, -25)) }, "users.lapsing", doctor.Warning, "Users who were not connected with WhatsApp for three weeks: 1.", "login"},
	{"few open files", func(i *installation) { i.machine.OpenFiles = 64; i.enlist(time.Now()) }, "programs.open_files", doctor.Fault, "64 files", "LimitNOFILE"},
	{"few open files for more users", func(i *installation) { i.machine.OpenFiles = 257; i.enlist(time.Now()) }, "programs.open_files", doctor.Warning, "257 files", "LimitNOFILE"},
	{"a running bridge with few open files", func(i *installation) { i.counts("process_max_fds 64"); i.enlist(time.Now()) }, "programs.open_files", doctor.Fault, "The bridge may have 64 files", "LimitNOFILE"},
	{"no ffmpeg", func(i *installation) { i.cfg.FFmpeg = filepath.Join(i.dir, "ffmpeg") }, "programs.ffmpeg", doctor.Note, "not installed", "Install"},
	{"ffmpeg turned off", func(i *installation) { i.cfg.FFmpeg = "" }, "programs.ffmpeg", doctor.Note, "turned off", ""},
	{"an ffmpeg that is none", func(i *installation) { i.fakeFFmpeg("echo something else") }, "programs.ffmpeg", doctor.Warning, "does not work", "by hand"},
	{"an ffmpeg without encoders", func(i *installation) { i.fakeFFmpeg(`echo "ffmpeg version 7.0 Copyright"`) }, "programs.ffmpeg", doctor.Note, "without what it takes for voice messages", "libopus"},
}

// counts makes the bridge tell these metrics.
func (i *installation) counts(lines ...string) {
	i.t.Helper()
	server := httptest.NewServer(answer(200, strings.Join(lines, "\n")+"\n"))
	i.t.Cleanup(server.Close)
	i.cfg.Admin.Listen = strings.TrimPrefix(server.URL, "http://")
}

// fakeFFmpeg puts a shell script in the place of ffmpeg.
func (i *installation) fakeFFmpeg(script string) {
	i.t.Helper()
	i.cfg.FFmpeg = filepath.Join(i.dir, "ffmpeg")
	i.must(os.WriteFile(i.cfg.FFmpeg, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
}

// enlist makes a user who was connected last at a time.
func (i *installation) enlist(connected time.Time) database.AccountID {
	i.t.Helper()
	ctx := context.Background()
	enlistment := &database.Enlistment{Gatekeeper: "wa", UserID: "@alice:example.org", Keys: interop.NewKeys(), Created: time.Now().AddDate(-1, 0, 0)}
	i.must(i.db.Enlistments().Create(ctx, enlistment))
	i.must(i.db.Enlistments().MarkEnlisted(ctx, enlistment.Account, types.NewJID("1-1", "interop"), "login"))
	i.exec("UPDATE postern_enlistment SET connected = $1", connected.UnixNano())
	return enlistment.Account
}
