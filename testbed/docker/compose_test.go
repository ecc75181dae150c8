//go:build compose

package docker_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
)

// What the compose files publish on this machine.
const (
	matrixURL = "http://localhost:8008"
	phoneURL  = "http://localhost:29412"
	bot       = id.UserID("@postern:localhost")
	password  = "correct horse battery staple"
	bobsPhone = "4915112345678"
)

const (
	// limit is how long an installation may take, from nothing to the end of the conversation.
	limit = 5 * time.Minute
	// pollPause is the time between two tries to reach a service that starts.
	pollPause = time.Second
)

// TestComposeLeadsFromNothingToAChat for each of the compose files, and still has it after all was stopped and started.
func TestComposeLeadsFromNothingToAChat(t *testing.T) {
	for _, installation := range []struct {
		file     string
		register []string
	}{
		{"compose.dendrite.yaml", []string{"create-account", "-config", "/data/dendrite.yaml", "-username", "alice", "-password", password,
			"-url", "http://localhost:8008"}},
		{"compose.yaml", []string{"register_new_matrix_user", "-c", "/data/homeserver.yaml", "-u", "alice", "-p", password, "--no-admin",
			"http://localhost:8008"}},
	} {
		t.Run(installation.file, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			compose := project{t, installation.file}
			compose.run(ctx, "down", "--volumes")
			t.Cleanup(func() { compose.run(context.Background(), "down", "--volumes") })
			compose.run(ctx, "up", "-d", "--no-build")
			waitFor(t, ctx, matrixURL+"/_matrix/client/versions")
			waitFor(t, ctx, phoneURL+"/")
			compose.run(ctx, append([]string{"exec", "-T", "homeserver"}, installation.register...)...)
			alice := logIn(t, ctx)
			room := enlisted(t, ctx, alice)

			fill(t, ctx, "/phones", "number", "+"+bobsPhone, "name", "Bob")
			fill(t, ctx, "/phones/"+bobsPhone+"/settings", "third-party", "on", "inbox", "one", "partner-1", "on")
			chat := talk(t, ctx, alice, room)

			began := time.Now()
			compose.run(ctx, "stop")
			t.Logf("all stopped within %s", time.Since(began).Round(time.Second))
			compose.run(ctx, "up", "-d", "--no-build")
			waitFor(t, ctx, matrixURL+"/_matrix/client/versions")
			waitFor(t, ctx, phoneURL+"/")
			says(t, ctx, alice, chat, "Still there?")
		})
	}
}

// project is one compose file.
type project struct {
	t    *testing.T
	file string
}

func (p project) run(ctx context.Context, args ...string) {
	p.t.Helper()
	command := exec.CommandContext(ctx, "docker-compose", append([]string{"--project-name", "postern-test", "--file", p.file}, args...)...)
	command.Dir = "../.."
	if output, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("docker-compose %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// waitFor asks until there is an answer: nothing tells when a service of Docker's is ready.
func waitFor(t *testing.T, ctx context.Context, address string) {
	t.Helper()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", address, err)
		}
	}
}

func logIn(t *testing.T, ctx context.Context) *matrixuser.User {
	t.Helper()
	client, err := mautrix.NewClient(matrixURL, "", "")
	if err != nil {
		t.Fatal(err)
	}
	login, err := client.Login(ctx, &mautrix.ReqLogin{
		Type: mautrix.AuthTypePassword, Identifier: mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: "alice"}, Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	user, err := matrixuser.New(ctx, matrixuser.Options{
		HomeserverURL: matrixURL, Dir: t.TempDir(),
		Account: &homeserver.Account{
			UserID: string(login.UserID), AccessToken: login.AccessToken, DeviceID: string(login.DeviceID), Password: password,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = user.Close() })
	return user
}

// ask writes to the bot and returns its answer.
func ask(t *testing.T, ctx context.Context, user *matrixuser.User, room id.RoomID, text, words string) *event.Event {
	t.Helper()
	mark := user.Mark()
	if _, err := user.SendText(ctx, room, text); err != nil {
		t.Fatal(err)
	}
	answer, err := user.WaitAfter(ctx, mark, "answer to "+text, matrixuser.MessageIn(room, bot, words))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func enlisted(t *testing.T, ctx context.Context, user *matrixuser.User) id.RoomID {
	t.Helper()
	room, err := user.StartDirectChat(ctx, bot)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, ctx, user, room, "login whatsapp", "if you agree")
	ask(t, ctx, user, room, "yes", "You are enlisted")
	return room
}

// talk lets both say something and returns the chat's room.
func talk(t *testing.T, ctx context.Context, user *matrixuser.User, management id.RoomID) id.RoomID {
	t.Helper()
	mark := user.Mark()
	ask(t, ctx, user, management, "start-chat +"+bobsPhone, "chat with")
	join, err := user.WaitAfter(ctx, mark, "join", func(evt *event.Event) bool {
		return evt.RoomID != management && matrixuser.MembershipOf(evt.RoomID, user.ID(), event.MembershipJoin)(evt) && isChat(ctx, user, evt.RoomID)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = user.WaitAfter(ctx, 0, "encryption", matrixuser.EventIn(join.RoomID, "", event.StateEncryption)); err != nil {
		t.Fatal(err)
	}
	says(t, ctx, user, join.RoomID, "Hello Bob")
	mark = user.Mark()
	fill(t, ctx, "/phones/"+bobsPhone+"/chats/"+bobsChat(t, ctx)+"/messages", "text", "Hello Alice")
	if _, err = user.WaitAfter(ctx, mark, "answer", matrixuser.MessageIn(join.RoomID, "", "Hello Alice")); err != nil {
		t.Fatal(err)
	}
	return join.RoomID
}

// isChat tells a chat from the space that collects them.
func isChat(ctx context.Context, user *matrixuser.User, room id.RoomID) bool {
	var content event.EncryptionEventContent
	return user.Client.StateEvent(ctx, room, event.StateEncryption, "", &content) == nil
}

// says has a message on Bob's phone.
func says(t *testing.T, ctx context.Context, user *matrixuser.User, room id.RoomID, text string) {
	t.Helper()
	if _, err := user.SendText(ctx, room, text); err != nil {
		t.Fatal(err)
	}
	watch(t, ctx, text)
}

// watch looks at the list of Bob's chats whenever the page says that there is news.
func watch(t *testing.T, ctx context.Context, words string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, phoneURL+"/phones/"+bobsPhone+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if page := read(t, ctx, "/phones/"+bobsPhone); strings.Contains(page, words) {
			return page
		}
	}
	t.Fatalf("Bob's phone does not show %q: %v", words, ctx.Err())
	return ""
}

// bobsChat is what the page calls Bob's only chat.
func bobsChat(t *testing.T, ctx context.Context) string {
	t.Helper()
	prefix := "/phones/" + bobsPhone + "/chats/"
	_, rest, found := strings.Cut(read(t, ctx, "/phones/"+bobsPhone), prefix)
	if !found {
		t.Fatal("Bob's phone has no chat")
	}
	return rest[:strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })]
}

func read(t *testing.T, ctx context.Context, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, phoneURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

func fill(t *testing.T, ctx context.Context, path string, pairs ...string) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, phoneURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	do(t, request)
}

func do(t *testing.T, request *http.Request) string {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v", request.Method, request.URL.Path, response.Status, err)
	}
	return string(content)
}
