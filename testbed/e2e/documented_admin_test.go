package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/postgres"
	"postern/testbed/process"
)

// documentedAdmin follows the documents with an installation of their own: a homeserver, the sandbox, and a bridge that nobody but the
// documents' commands set up. Where they name an address, a folder or a person, this one's are taken.
type documentedAdmin struct {
	t   *testing.T
	ctx context.Context
	// dir is /var/lib/postern, and where the commands are run.
	dir, program string
	homeserver   *homeserver.Server
	postgres     *postgres.Server
	// sandbox and bridge are the programs that go on running.
	sandbox, bridge process.Service
	alice           *matrixuser.User
	management      id.RoomID
	// names are pairs: what stands in the documents, and what it is here.
	names []string
}

// documentedPorts are those of the examples of bridge and sandbox.
var documentedPorts = []string{"29340", "29350", "29400", "29410", "29411", "29412"}

const sandboxPhone = "+4915112345678" // as in docs/install.md

func newDocumentedAdmin(t *testing.T) *documentedAdmin {
	t.Helper()
	ctx := within(t, 2*limit)
	a := &documentedAdmin{t: t, ctx: ctx, dir: t.TempDir(), program: must(builder.Postern(ctx))(t)}
	kind := homeserver.KindFromEnvironment()
	a.homeserver = must(homeserver.New(homeserver.Options{Kind: kind, Binary: must(builder.Homeserver(ctx, kind))(t), Dir: t.TempDir()}))(t)
	a.check(a.homeserver.Start(ctx))
	a.name("/var/lib/postern", a.dir)
	a.name("/backups", t.TempDir())
	a.name("/somewhere/else", t.TempDir())
	a.name("http://localhost:8008", a.homeserver.URL())
	for _, port := range documentedPorts {
		a.name(":"+port, strings.TrimPrefix(process.Loopback(must(process.FreePort())(t)), "127.0.0.1"))
	}
	a.name("https://postern.example.org", "http://127.0.0.1"+a.here(":29400"))
	a.name("example.org", a.homeserver.Domain())
	a.startPostgres()
	// The bridge's log is where journalctl would read it.
	a.check(os.Mkdir(filepath.Join(a.dir, "bin"), 0o700))
	a.check(os.WriteFile(filepath.Join(a.dir, "bin", "journalctl"), []byte("#!/bin/sh\nexec cat '"+a.log()+"'\n"), 0o700))
	a.check(os.Symlink(a.program, filepath.Join(a.dir, "bin", "postern")))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(process.LogTail(a.log()))
		}
		a.bridge.Kill()
		a.sandbox.Kill()
		a.homeserver.Kill()
		if a.postgres != nil {
			_ = a.postgres.Close()
		}
	})
	return a
}

func (a *documentedAdmin) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *documentedAdmin) name(documented, here string) { a.names = append(a.names, documented, here) }

// here puts what things are called here into a text of a document.
func (a *documentedAdmin) here(text string) string {
	return strings.NewReplacer(a.names...).Replace(text)
}

func (a *documentedAdmin) log() string { return filepath.Join(a.dir, "log") }

var asUser = regexp.MustCompile(`(^|\| )sudo (-u \w+ )?`)

// shell returns a command line as it is run here. There is one user only.
func (a *documentedAdmin) shell(command string) (shell string, env []string) {
	env = append(os.Environ(), "PATH="+filepath.Join(a.dir, "bin")+":"+os.Getenv("PATH"))
	if a.postgres != nil {
		env = append(env, "PGHOST="+a.postgres.Dir(), "PGUSER=postern")
	}
	return a.here(asUser.ReplaceAllString(command, "$1")), env
}

// follow runs one step.
func (a *documentedAdmin) follow(step documentedStep) {
	a.t.Helper()
	if step.forPostgres && a.postgres == nil {
		return
	}
	if step.instead != nil {
		step.instead(a)
	} else {
		line, env := a.shell(step.text)
		ctx, cancel := context.WithTimeout(a.ctx, patience)
		defer cancel()
		command := exec.CommandContext(ctx, "/bin/sh", "-c", line)
		command.Dir, command.Env = a.dir, env
		output, err := command.CombinedOutput()
		if err != nil {
			a.t.Fatalf("%s, %s: %v\n%s", step.document, step.text, err, output)
		}
		if !strings.Contains(string(output), a.here(step.says)) {
			a.t.Errorf("%s, %s: does not say %q:\n%s", step.document, step.text, step.says, output)
		}
		if step.learn != nil {
			step.learn(a, string(output))
		}
	}
	if step.then != nil {
		step.then(a)
	}
}

// edit changes a file as the documents tell to do by hand. Every old text has to be there.
func (a *documentedAdmin) edit(name string, oldAndNew ...string) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	text := must(os.ReadFile(path))(a.t)
	for i := 0; i < len(oldAndNew); i += 2 {
		if !bytes.Contains(text, []byte(oldAndNew[i])) {
			a.t.Fatalf("%s has no %q", name, oldAndNew[i])
		}
		text = bytes.ReplaceAll(text, []byte(oldAndNew[i]), []byte(oldAndNew[i+1]))
	}
	a.check(os.WriteFile(path, text, 0o600))
}

// ports gives a file that was written with the examples' ports those of this test.
func (a *documentedAdmin) ports(name string) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	text := must(os.ReadFile(path))(a.t)
	for _, port := range documentedPorts {
		text = bytes.ReplaceAll(text, []byte(":"+port), []byte(a.here(":"+port)))
	}
	a.check(os.WriteFile(path, text, 0o600))
}

// run keeps a program running until it is stopped.
func (a *documentedAdmin) run(service *process.Service, command, log, ready string) {
	a.t.Helper()
	line, env := a.shell(command)
	a.check(service.Start(a.ctx, process.Options{
		Name: command, Path: "/bin/sh", Args: []string{"-c", "exec " + line}, Dir: a.dir, Env: env, LogFile: log,
	}, process.HTTPCheck("http://127.0.0.1"+a.here(ready)), patience))
}

func (a *documentedAdmin) runSandbox(command string) {
	a.t.Helper()
	a.run(&a.sandbox, command, filepath.Join(a.dir, "sandbox.log"), ":29411/info")
}

// startBridge is `systemctl start postern`.
func (a *documentedAdmin) startBridge() {
	a.t.Helper()
	a.run(&a.bridge, "postern run --config /var/lib/postern/config.yaml", filepath.Join(a.dir, "errors"), ":29350/ready")
}

// stopBridge is `systemctl stop postern`.
func (a *documentedAdmin) stopBridge() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.ctx, patience)
	defer cancel()
	a.check(a.bridge.Stop(ctx))
}

// tellHomeserver is what step 4 of docs/install.md says.
func (a *documentedAdmin) tellHomeserver() {
	a.t.Helper()
	a.homeserver.Kill()
	a.check(a.homeserver.Start(a.ctx, filepath.Join(a.dir, "registration.yaml"), filepath.Join(a.dir, "doublepuppet.yaml")))
}

// say writes to the bot and waits for an answer with the words.
func (a *documentedAdmin) say(text, words string) *event.Event {
	a.t.Helper()
	bot := id.UserID("@postern:" + a.homeserver.Domain())
	mark := a.alice.Mark()
	must(a.alice.SendText(a.ctx, a.management, text))(a.t)
	return must(a.alice.WaitAfter(a.ctx, mark, "answer to "+text, matrixuser.MessageIn(a.management, bot, words)))(a.t)
}

var chatLink = regexp.MustCompile(`matrix\.to/#/(![^"?)]+)`)

// converse is step 7 of docs/install.md: Alice enlists and writes to Bob, whose phone is the sandbox's.
func (a *documentedAdmin) converse() {
	a.t.Helper()
	account := must(a.homeserver.CreateUser(a.ctx, "alice", "alice-password"))(a.t)
	a.alice = must(matrixuser.New(a.ctx, matrixuser.Options{HomeserverURL: a.homeserver.URL(), Account: account, Dir: a.t.TempDir()}))(a.t)
	a.t.Cleanup(func() { _ = a.alice.Close() })
	a.management = must(a.alice.StartDirectChat(a.ctx, id.UserID("@postern:"+a.homeserver.Domain())))(a.t)
	a.say("login", "if you agree")
	a.say("yes", "You are enlisted")
	response := must(http.Post("http://127.0.0.1"+a.here(":29411")+"/accounts/"+sandboxPhone+"/phone", "application/json", nil))(a.t)
	_ = response.Body.Close()
	answer := a.say("start-chat "+sandboxPhone, "chat with")
	link := chatLink.FindStringSubmatch(strings.ReplaceAll(answer.Content.AsMessage().FormattedBody, "%21", "!"))
	if link == nil {
		a.t.Fatalf("no chat was opened: %s", answer.Content.AsMessage().Body)
	}
	room := id.RoomID(strings.ReplaceAll(link[1], "%3A", ":"))
	must(a.alice.Wait(a.ctx, "encryption", matrixuser.EventIn(room, "", event.StateEncryption)))(a.t)
	must(a.alice.Wait(a.ctx, "join", matrixuser.MembershipOf(room, a.alice.ID(), event.MembershipJoin)))(a.t)
	sent := must(a.alice.SendText(a.ctx, room, "Good evening"))(a.t)
	must(a.alice.Wait(a.ctx, "status", matrixuser.StatusOf(sent, event.MessageStatusSuccess)))(a.t)
	a.name("$event", sent.String())
}

// startPostgres runs the server that the documents take for granted. Where PostgreSQL is not installed, there is none.
func (a *documentedAdmin) startPostgres() {
	a.t.Helper()
	server, err := postgres.New(a.ctx)
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("CI") != "true" {
		a.t.Log("!!! NOT RUN, commands for PostgreSQL: ", err)
		return
	}
	a.check(err)
	a.postgres = server
	a.check(server.Start(a.ctx))
	a.name("/run/postgresql", server.Dir())
}

func (a *documentedAdmin) postgresURI() string {
	return "postgres://postern@/postern?host=" + a.postgres.Dir() + "&sslmode=disable"
}

// wants fails the test if a file that a command wrote does not have the text.
func (a *documentedAdmin) wants(name, text string) {
	a.t.Helper()
	if content := must(os.ReadFile(filepath.Join(a.dir, name)))(a.t); !strings.Contains(string(content), text) {
		a.t.Fatalf("%s has no %q:\n%s", name, text, content)
	}
}
