package doctor_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"postern/bridge/doctor"
)

// mends do what a remedy says, by the fault that it is for. The likeliest are here; doctor must find nothing of the kind afterwards.
var mends = map[string]func(i *installation, remedy string){
	// What is a command is run as it is.
	"a config for everybody to read":        (*installation).obey,
	"a config for everybody to change":      (*installation).obey,
	"a registration for everybody":          (*installation).obey,
	"a database for everybody":              (*installation).obey,
	"hosted files for everybody":            (*installation).obey,
	"a secret key that others can read":     (*installation).obey,
	"a next signing key that was forgotten": func(i *installation, _ string) { i.commands("keys", "rotate") },
	"an old signing key": func(i *installation, _ string) {
		i.commands("keys", "make")
		i.exec("UPDATE postern_provider_key SET published = $1 WHERE state = 'next'", time.Now().Add(-time.Hour).UnixNano()) // instead of --wait
		i.commands("keys", "rotate")
	},
	"a backup in its place": func(i *installation, _ string) {
		i.must(i.raw.Close())
		i.commands("restore", "--in-place")
	},

	"a registration of before":                         func(i *installation, _ string) { i.copyBack("registration.yaml") },
	"a registration that is no YAML":                   func(i *installation, _ string) { i.copyBack("registration.yaml") },
	"a double puppet registration that is no YAML":     func(i *installation, _ string) { i.copyBack("doublepuppet.yaml") },
	"a registration that was not loaded":               reload,
	"a double puppet registration that was not loaded": reload,
	"another hs_token":                                 reload,
	"Dendrite with another hs_token":                   reload,
	"a url that leads nowhere":                         reload,
	"no url":                                           reload,
	"another id":                                       func(i *installation, _ string) { i.cfg.Appservice.ID = i.homeserver.id },
	"no homeserver": func(i *installation, _ string) {
		started := newFakeHomeserver(i.t)
		started.url, started.asToken, started.hsToken = i.cfg.Appservice.Address, i.cfg.Appservice.ASToken, i.hsToken
		started.id, started.puppetToken = i.cfg.Appservice.ID, i.cfg.DoublePuppet.ASToken
		i.cfg.Homeserver.Address = started.server.URL
	},
	"TLS where there is none": func(i *installation, _ string) { i.cfg.Homeserver.Address = i.homeserver.server.URL },
	"another server name":     func(i *installation, _ string) { i.cfg.Homeserver.Domain = "other.example" },

	"a proxy that leads elsewhere": func(i *installation, _ string) { i.inFront = nil },
	"an expired certificate": func(i *installation, _ string) {
		i.certify = i.authority.certify(i.t, time.Now().AddDate(0, 2, 0), "127.0.0.1")
	},
	"a secret key that is gone":      func(i *installation, _ string) { i.copyBack("postern.key") },
	"another secret key":             func(i *installation, _ string) { i.copyBack("postern.key") },
	"no keys for pushes":             func(i *installation, _ string) { i.gatekeeperAnswers["/keys"] = answer(200, pushKeys) },
	"a wrong access key":             func(i *installation, _ string) { i.cfg.Public.S3.AccessKey = bucketAccess },
	"a wrong secret key of a bucket": func(i *installation, _ string) { i.cfg.Public.S3.SecretKey = bucketSecret },
	"a bucket that is not there":     func(i *installation, _ string) { i.cfg.Public.S3.Bucket = "files" },

	"a config that the user may not read":            func(i *installation, _ string) { i.may("config.yaml", 0o600) },
	"a secret key that the user may not read":        func(i *installation, _ string) { i.may("postern.key", 0o600) },
	"a database that the user may not read":          func(i *installation, _ string) { i.may("postern.db", 0o600) },
	"a database that the user may not write":         func(i *installation, _ string) { i.may("postern.db", 0o600) },
	"a folder that the user may not write":           func(i *installation, _ string) { i.may(".", 0o700) },
	"a folder for files that the user may not write": func(i *installation, _ string) { i.may("media", 0o700) },
	"a log that the user may not write":              func(i *installation, _ string) { i.may("log", 0o600) },
}

// obey runs a remedy that is a command.
func (i *installation) obey(remedy string) {
	i.t.Helper()
	if output, err := exec.Command("sh", "-c", remedy).CombinedOutput(); err != nil {
		i.t.Errorf("%s: %v, %s", remedy, err, output)
	}
}

// commands runs a command of the program.
func (i *installation) commands(args ...string) {
	i.t.Helper()
	if output, failed := i.run(args...); failed {
		i.t.Errorf("postern %v: %s", args, output)
	}
}

// copyBack puts a file back as it was: the registrations from the homeserver, the secret key from the admin's copy.
func (i *installation) copyBack(name string) {
	i.t.Helper()
	i.must(os.WriteFile(filepath.Join(i.dir, name), i.copies[name], 0o600))
}

// reload copies the registrations to the homeserver and restarts it.
func reload(i *installation, _ string) {
	h := i.homeserver
	h.url, h.asToken, h.hsToken, h.puppetToken = i.cfg.Appservice.Address, i.cfg.Appservice.ASToken, i.cfg.Appservice.HSToken, i.cfg.DoublePuppet.ASToken
}

// isMended does what the remedy says and wants doctor to find nothing of the kind any more.
func (i *installation) isMended(mend func(*installation, string), found doctor.Finding) {
	i.t.Helper()
	mend(i, found.Remedy)
	for _, finding := range i.examine() {
		if finding.Check == found.Check && (finding.Status == doctor.Warning || finding.Status == doctor.Fault) {
			i.t.Errorf("after %q was done: %+v", found.Remedy, finding)
		}
	}
}

func TestEveryMendIsForAFault(t *testing.T) {
	for what := range mends {
		if !slices.ContainsFunc(faults, func(fault provoked) bool { return fault.what == what }) {
			t.Errorf("nothing is provoked that is called %q", what)
		}
	}
}
