package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documentedStep is a command of a document, in a block or in the text, and what is to be seen when it is run.
type documentedStep struct {
	documentedCommand
	// says is what the command prints, among other things. Names are put in as into the command.
	says string
	// instead stands for a command that cannot be run here as it is.
	instead func(a *documentedAdmin)
	// learn takes from the output what a person would type into a later command.
	learn func(a *documentedAdmin, output string)
	// then is what the document tells to do by hand after the command, or what else has to be there for the next.
	then func(a *documentedAdmin)
	// forPostgres leaves the step out where there is none.
	forPostgres bool
}

// documentedSteps are the documents' commands in the order in which an admin comes to them. To document a command, add it here.
func documentedSteps() []documentedStep {
	step := func(document, text, says string) documentedStep {
		return documentedStep{documentedCommand: documentedCommand{document, text}, says: says}
	}
	then := func(step documentedStep, then func(a *documentedAdmin)) documentedStep {
		step.then = then
		return step
	}
	instead := func(document, text string, instead func(a *documentedAdmin)) documentedStep {
		return documentedStep{documentedCommand: documentedCommand{document, text}, instead: instead}
	}
	learn := func(step documentedStep, learn func(a *documentedAdmin, output string)) documentedStep {
		step.learn = learn
		return step
	}
	forPostgres := func(step documentedStep) documentedStep {
		step.forPostgres = true
		return step
	}
	const at = "/var/lib/postern"
	return []documentedStep{
		// The sandbox alone.
		then(step("sandbox.md", "postern gatekeeper config > gatekeeper.yaml", ""), func(a *documentedAdmin) { a.ports("gatekeeper.yaml") }),
		instead("sandbox.md", "postern gatekeeper", func(a *documentedAdmin) { a.runSandbox("postern gatekeeper") }),
		then(step("sandbox.md", "postern gatekeeper describe > entry.yaml", ""), func(a *documentedAdmin) {
			a.wants("entry.yaml", "root_key: ")
			a.check(a.sandbox.Stop(a.ctx))
			a.check(os.Remove(filepath.Join(a.dir, "gatekeeper.db")))
		}),

		// From nothing to a running bridge.
		then(step("install.md", "postern gatekeeper config > sandbox.yaml", ""), func(a *documentedAdmin) { a.ports("sandbox.yaml") }),
		step("install.md", "postern gatekeeper describe -c sandbox.yaml > whatsapp.yaml", ""),
		instead("install.md", "postern gatekeeper -c sandbox.yaml", func(a *documentedAdmin) { a.runSandbox("postern gatekeeper -c sandbox.yaml") }),
		step("install.md", `curl -d '{"phone": "+4915112345678", "name": "Bob", "third_party": true}' http://127.0.0.1:29411/accounts`, `"third_party":true`),
		step("install.md", "curl -X POST http://127.0.0.1:29411/accounts/+4915112345678/phone", `"url":"http://127.0.0.1:`),
		then(step("install.md", "sudo -u postern postern init --dir "+at+" --homeserver http://localhost:8008 --domain example.org "+
			"--public-url https://postern.example.org --gatekeeper "+at+"/whatsapp.yaml --admin @you:example.org", "postern run --config "+at),
			func(a *documentedAdmin) {
				a.ports("config.yaml")
				a.ports("registration.yaml")
				a.edit("config.yaml", "level: info", "level: debug", `file: ""`, "file: log")
				a.tellHomeserver()
			}),
		instead("install.md", "sudo -u postern postern init --dir "+at, func(a *documentedAdmin) {
			line, _ := a.shell("postern init --dir " + at)
			terminal := newTerminal(a.t, a.dir, "/bin/sh", "-c", "PATH='"+filepath.Join(a.dir, "bin")+":'$PATH; "+line)
			terminal.answer("overwrite [no", "no")
			if err := terminal.end(); err == nil || !strings.Contains(terminal.said, "exist already") {
				a.t.Errorf("a second setup: %v after %s", err, terminal.said)
			}
		}),
		instead("install.md", "sed 's,/usr/bin/postern,/usr/local/bin/postern,' packaging/postern.service | sudo tee /etc/systemd/system/postern.service",
			func(a *documentedAdmin) {
				unit := must(exec.Command("sed", "s,/usr/bin/postern,/usr/local/bin/postern,", "../../packaging/postern.service").Output())(a.t)
				if !strings.Contains(string(unit), "ExecStart=/usr/local/bin/postern run --config /var/lib/postern/config.yaml\n") {
					a.t.Errorf("the service is %s", unit)
				}
			}),
		instead("install.md", "sudo systemctl enable --now postern", func(a *documentedAdmin) {
			a.startBridge()
			a.converse()
		}),
		step("install.md", "sudo -u postern postern doctor --config "+at+"/config.yaml", "faults: 0,"),
		step("install.md", "curl https://postern.example.org/.well-known/oauth/openid/jwks", `"keys":[{`),
		step("install.md", `curl -s -o /dev/null -w '%{http_code}\n' -X POST https://postern.example.org/push`, "401"),

		// What an admin does now and then.
		step("operations.md", "sudo -u postern postern doctor --config "+at+"/config.yaml", "faults: 0,"),
		learn(step("operations.md", "postern trace '$event'", "The database now:"), func(a *documentedAdmin, output string) {
			id := regexp.MustCompile(`in the chat channel: (\S+)`).FindStringSubmatch(output)
			if id == nil {
				a.t.Fatalf("no id of the chat channel in %s", output)
			}
			a.name("3EB0A1B2C3D4E5F6A7B8C9", id[1])
		}),
		step("operations.md", "journalctl -u postern -o cat | postern trace 3EB0A1B2C3D4E5F6A7B8C9 -", "Matrix event: $event"),
		step("operations.md", "postern health", "ready"),
		step("configuration.md", "postern config check", "is fine"),
		step("configuration.md", "postern config upgrade", "has every key already"),
		step("install.md", "postern keys make", ""),
		step("install.md", "postern keys list", "active"),
		then(step("install.md", "postern export @alice:example.org -o alice.json", ""), func(a *documentedAdmin) { a.wants("alice.json", sandboxPhone[1:]) }),

		// Back to an old state.
		step("operations.md", "sudo -u postern postern backup -c "+at+"/config.yaml -o /backups/postern.backup", "wrote "),
		instead("operations.md", "sudo systemctl stop postern", (*documentedAdmin).stopBridge),
		step("operations.md", "sudo mv /var/lib/postern/postern.db* /somewhere/else", ""),
		step("operations.md", "sudo -u postern postern restore -c "+at+"/config.yaml /backups/postern.backup", "renew with `login`: 1."),
		step("operations.md", "sudo -u postern postern restore -c "+at+"/config.yaml --in-place", "the database is in place"),
		then(instead("operations.md", "sudo systemctl start postern", (*documentedAdmin).startBridge), (*documentedAdmin).stopBridge),

		// To PostgreSQL. The tests' server has one user, who is called so and may do everything.
		instead("operations.md", "sudo -u postgres createuser postern", func(*documentedAdmin) {}),
		forPostgres(step("operations.md", "sudo -u postgres createdb --encoding=UTF8 --template=template0 --owner=postern postern", "")),
		then(forPostgres(step("operations.md", "sudo -u postern postern db migrate -c "+at+"/config.yaml --to "+
			"'postgres://postern@/postern?host=/run/postgresql&sslmode=disable'", "")),
			func(a *documentedAdmin) {
				a.edit("config.yaml", "type: sqlite", "type: postgres", "uri: postern.db", "uri: "+a.postgresURI())
				a.startBridge()
			}),
		forPostgres(step("operations.md", "pg_dump --format=custom --file=postern.dump 'postgres://postern@/postern?host=/run/postgresql'", "")),

		// Users who make trouble, and those who leave.
		step("administration.md", "postern suspend @alice:example.org too many complaints", "@alice:example.org is suspended"),
		step("administration.md", "postern users --csv", "user,gatekeeper,state"),
		step("administration.md", "postern unsuspend @alice:example.org", ""),
		step("administration.md", "postern audit", `suspend by command line user "@alice:example.org"`),
		step("administration.md", "postern audit --verify", "entries"),
		step("install.md", "postern erase @alice:example.org", "@alice:example.org leaves"),
		step("install.md", "postern erase --pending", "@alice:example.org"),
	}
}

// TestTheDocumentsCommandsWork follows the documents from an empty folder to PostgreSQL, with what they say and nothing else.
func TestTheDocumentsCommandsWork(t *testing.T) {
	t.Parallel()
	a := newDocumentedAdmin(t)
	for _, step := range documentedSteps() {
		a.follow(step)
		if t.Failed() {
			return
		}
	}
}
