package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"postern/testbed/homeserver"
	"postern/testbed/sandbox"
)

// terminal is a program on a terminal, with somebody who reads and writes.
type terminal struct {
	t       *testing.T
	file    *os.File
	command *exec.Cmd
	// pieces are what the program printed, until it ended.
	pieces <-chan string
	// unread is what was printed after what was waited for last, said all of it.
	unread, said string
}

func newTerminal(t *testing.T, dir, program string, args ...string) *terminal {
	t.Helper()
	command := exec.Command(program, args...)
	command.Dir = dir
	file, err := pty.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	pieces := make(chan string, 1024)
	go func() {
		defer close(pieces)
		buffer := make([]byte, 4096)
		for {
			n, err := file.Read(buffer)
			if n > 0 {
				pieces <- strings.ReplaceAll(string(buffer[:n]), "\r", "")
			}
			if err != nil { // EIO when the program has ended
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = file.Close()
	})
	return &terminal{t: t, file: file, command: command, pieces: pieces}
}

// read waits until the program has printed the words, after what was waited for before.
func (s *terminal) read(words string) {
	s.t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(s.unread, words) {
		select {
		case piece, ok := <-s.pieces:
			if !ok {
				s.t.Fatalf("the program ended before it said %q:\n%s", words, s.said)
			}
			s.unread += piece
			s.said += piece
		case <-deadline:
			s.t.Fatalf("the program did not say %q:\n%s", words, s.said)
		}
	}
	_, s.unread, _ = strings.Cut(s.unread, words)
}

// answer types a line when the program has asked.
func (s *terminal) answer(question, text string) {
	s.t.Helper()
	s.read(question)
	s.read("]: ")
	s.write(text + "\n")
}

func (s *terminal) write(text string) {
	s.t.Helper()
	if _, err := s.file.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the program's end.
func (s *terminal) end() error {
	for piece := range s.pieces {
		s.said += piece
	}
	return s.command.Wait()
}

// newAdmin starts a homeserver, and has a gatekeeper's entry in the folder that it returns.
func newAdmin(t *testing.T) (server *homeserver.Server, program, dir string) {
	t.Helper()
	ctx := within(t, limit)
	kind := homeserver.KindFromEnvironment()
	program = must(builder.Postern(ctx))(t)
	binary := must(builder.Homeserver(ctx, kind))(t)
	// With a federation, since without one Dendrite does not tell its name.
	server = must(homeserver.New(homeserver.Options{Kind: kind, Binary: binary, Dir: t.TempDir(), Federation: true}))(t)
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	dir = t.TempDir()
	gatekeeper := must(sandbox.New(sandbox.Options{
		Binary: program, Dir: t.TempDir(), Partner: sandbox.Partner{Integrator: 1, Issuer: "http://127.0.0.1:1", Audience: "a", Name: "Matrix"},
	}))(t)
	entry := must(gatekeeper.Describe(ctx))(t)
	if err := os.WriteFile(filepath.Join(dir, "whatsapp.yaml"), entry, 0o600); err != nil {
		t.Fatal(err)
	}
	return server, program, dir
}

// TestAnAdminIsAskedOnATerminal: who knows nothing but `postern init` gets a setup that is fine, for the homeserver that is there.
func TestAnAdminIsAskedOnATerminal(t *testing.T) {
	t.Parallel()
	server, program, dir := newAdmin(t)
	admin := newTerminal(t, dir, program, "init", "--dir", "bridge")
	admin.read("domain, such as example.org: ")
	admin.write("https://localhost\n")
	admin.read("homeserver.domain is not a server name")
	admin.read("domain, such as example.org: ")
	// Nobody's well-known is there. The tests' Synapse has its federation at another address, so it does not tell its name.
	name, other, domain := "Dendrite", "homeserver.yaml", "localhost:1"
	if server.Kind() == homeserver.Synapse {
		name, other, domain = "Synapse", "dendrite.yaml", server.Domain()
	}
	admin.write(domain + "\n")
	admin.answer("homeserver [http://localhost:8008", server.URL())
	admin.read("The homeserver at " + server.URL() + " is " + name)
	if server.Kind() == homeserver.Synapse {
		admin.read("does not tell its name at this address")
	} else {
		admin.answer("is called "+server.Domain()+", and not localhost:1", "")
	}
	admin.answer("public URL", "https://postern.example.org")
	admin.answer("gatekeeper file [whatsapp.yaml", "")
	admin.read("admins, such as @me:" + server.Domain() + ": ")
	admin.write("@me:" + server.Domain() + "\n")
	admin.answer("double puppeting [yes", "")
	admin.answer("database [sqlite", "")
	if err := admin.end(); err != nil {
		t.Fatalf("%v after:\n%s", err, admin.said)
	}
	config := filepath.Join(dir, "bridge", "config.yaml")
	for _, want := range []string{"wrote " + config, filepath.Join(dir, "bridge", "doublepuppet.yaml"), "Add this to " + name + "'s configuration"} {
		if !strings.Contains(admin.said, want) {
			t.Errorf("%q was not said:\n%s", want, admin.said)
		}
	}
	if strings.Contains(admin.said, other) || strings.Contains(admin.said, "Warning: "+name) {
		t.Errorf("something else than %s was explained, or it is too old:\n%s", name, admin.said)
	}
	if output, err := exec.Command(program, "config", "check", "-c", config).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
	text, err := os.ReadFile(config)
	if err != nil || !strings.Contains(string(text), "domain: "+server.Domain()) || !strings.Contains(string(text), "@me:"+server.Domain()) {
		t.Errorf("the answers are not in the config: %v", err)
	}

	again := newTerminal(t, dir, program, "init", "--dir", "bridge")
	again.answer("overwrite [no", "")
	if err = again.end(); err == nil || !strings.Contains(again.said, "nothing was written") {
		t.Errorf("%v after:\n%s", err, again.said)
	}
	if kept, err := os.ReadFile(config); err != nil || string(kept) != string(text) {
		t.Errorf("the config was changed: %v", err)
	}
}

// TestAnAdminCanGiveUp: an interrupt ends the questions at once, and nothing is written.
func TestAnAdminCanGiveUp(t *testing.T) {
	t.Parallel()
	program := must(builder.Postern(within(t, limit)))(t)
	for name, key := range map[string]string{"interrupt": "\x03", "end of input": "\x04"} {
		dir := t.TempDir()
		admin := newTerminal(t, dir, program, "init")
		admin.read("domain, such as example.org: ")
		admin.write(key)
		ended := make(chan error, 1)
		go func() { ended <- admin.end() }()
		var exit *exec.ExitError
		select {
		case err := <-ended:
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).ExitStatus() != 1 || !strings.Contains(admin.said, "nothing was written") {
				t.Errorf("%s: %v after:\n%s", name, err, admin.said)
			}
		case <-time.After(patience):
			t.Fatalf("%s does not end it", name)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
			t.Errorf("%s left %v, %v", name, files, err)
		}
	}
}
