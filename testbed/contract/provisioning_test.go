package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/docs"
	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/programs"
	gatekeeper "postern/testbed/sandbox"
	"postern/testbed/stack"
)

// provisioningLimit is how long the test of the provisioning interface may take, with the start of a homeserver.
const provisioningLimit = 3 * time.Minute

// provisioned is an installation whose bridge stands behind a witness.
type provisioned struct {
	*witness
	stack  *stack.Stack
	alice  *stack.BridgeUser
	secret string
}

// TestTheProvisioningInterfaceKeepsToItsDocument makes everything happen that the document describes, with a real homeserver.
func TestTheProvisioningInterfaceKeepsToItsDocument(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), provisioningLimit)
	defer cancel()
	document := loadDocument(t, docs.Provisioning)
	p := openProvisioned(t, ctx, newWitness(t, document, "bridge"))
	bob, err := p.stack.NewContact(ctx, "Bob", 1)
	if err != nil {
		t.Fatal(err)
	}
	room, err := p.alice.StartChat(ctx, bob.Phone)
	if err != nil {
		t.Fatal(err)
	}
	p.testStrangers(t, document)
	p.testBadBodies(t, document)
	p.testSettings(t)
	p.testRequests(t, ctx)
	p.testTrust(t, ctx, room, bob)
	p.testRetry(t, room.String())
	p.testExport(t)
	admins := p.makeAdminRoom(t, ctx)
	p.testEEA(t, ctx, room.String(), admins)
	p.testReport(t, ctx, bob, admins)
	p.testErase(t, ctx)
	if missing := document.unseen(); !t.Failed() && len(missing) > 0 {
		slices.Sort(missing)
		t.Errorf("documented, and not seen: %q", missing)
	}
}

func openProvisioned(t *testing.T, ctx context.Context, w *witness) *provisioned {
	t.Helper()
	builder, err := programs.NewBuilder(false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := stack.Start(ctx, stack.Options{Homeserver: homeserver.KindFromEnvironment(), Builder: builder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Logs())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	alice, err := s.NewBridgeUser(ctx, "alice")
	if err == nil {
		err = alice.Enlist(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := s.Bridge.Secrets()
	if err != nil {
		t.Fatal(err)
	}
	w.stand(s.Bridge.URL())
	return &provisioned{w, s, alice, secrets.ProvisioningSecret}
}

// as asks in alice's name, with her own token. input becomes the body, nil for none. The answer is read into answer, unless it is nil.
func (p *provisioned) as(t *testing.T, want int, method, path string, input, answer any) {
	t.Helper()
	var body io.Reader
	if input != nil {
		content, err := json.Marshal(input)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(content)
	}
	response := p.ask(t, want, method, p.path(path), body, "Authorization", "Bearer "+p.alice.Client.AccessToken, "Content-Type", "application/json")
	if answer == nil {
		return
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		t.Fatal(err)
	}
}

func (p *provisioned) path(path string) string {
	return "/_matrix/provision/postern/v1/" + path + "?user_id=" + url.QueryEscape(p.alice.ID().String())
}

// operations calls visit for each request of the document, with something in place of what is in braces.
func operations(document *document, visit func(method, path string)) {
	for path, item := range document.spec.Paths.Map() {
		path = strings.TrimPrefix(path, "/_matrix/provision/postern/v1/")
		path = strings.NewReplacer("{contact}", "@nobody:example.org", "{gatekeeper}", "nothing", "{name}", "typing").Replace(path)
		for method := range item.Operations() {
			visit(method, path)
		}
	}
}

type input map[string]any

func (p *provisioned) testStrangers(t *testing.T, document *document) {
	operations(document, func(method, path string) {
		for _, header := range []string{"", "Bearer nonsense", "Bearer openid:x"} {
			var body io.Reader
			if method != http.MethodGet {
				body = strings.NewReader("{}")
			}
			p.ask(t, http.StatusUnauthorized, method, p.path(path), body, "Authorization", header, "Content-Type", "application/json")
		}
	})
	p.ask(t, http.StatusNotFound, "GET", p.path("nothing"), nil, "Authorization", "Bearer "+p.secret)
	p.ask(t, http.StatusMethodNotAllowed, "PATCH", p.path("erase"), nil, "Authorization", "Bearer "+p.secret)
	p.ask(t, http.StatusOK, "GET", p.path("export"), nil, "Authorization", "Bearer "+p.secret)
}

// testBadBodies sends what is not JSON, not an object, has fields that nobody knows, or is too large.
func (p *provisioned) testBadBodies(t *testing.T, document *document) {
	operations(document, func(method, path string) {
		operation := document.operation(method, "/_matrix/provision/postern/v1/"+path)
		if operation == nil || operation.RequestBody == nil {
			return
		}
		for body, want := range map[string]int{
			"": 400, "{": 400, "[]": 400, "7": 400, `{"nobody":"knows"}`: 400, "{} {}": 400, "{}": 400, "\x00": 400,
			`{"x":"` + strings.Repeat("x", 20<<10) + `"}`: 413, strings.Repeat(" ", 20<<10): 413,
		} {
			p.ask(t, want, method, p.path(path), strings.NewReader(body), "Authorization", "Bearer "+p.secret, "Content-Type", "application/json")
		}
	})
}

func (p *provisioned) testSettings(t *testing.T) {
	var all map[string][]struct{ Name, Value string }
	p.as(t, http.StatusOK, "GET", "settings", nil, &all)
	if settings := all[stack.GatekeeperID]; len(settings) < 3 {
		t.Errorf("settings are %v", all)
	}
	p.as(t, http.StatusOK, "PUT", "settings/typing", input{"value": "OFF"}, nil)
	p.as(t, http.StatusOK, "GET", "settings", nil, &all)
	for _, setting := range all[stack.GatekeeperID] {
		if setting.Name == "typing" && setting.Value != "off" {
			t.Errorf("typing is %s", setting.Value)
		}
	}
	p.as(t, http.StatusConflict, "PUT", "settings/typing", input{"value": "sometimes"}, nil)
	p.as(t, http.StatusNotFound, "PUT", "settings/nothing", input{"value": "on"}, nil)
	for _, path := range []string{"settings", "requests"} {
		p.ask(t, http.StatusNotFound, "GET", p.path(path)+"&gatekeeper=another", nil, "Authorization", "Bearer "+p.secret)
	}
}

// testRequests has someone ask who is declined, may ask again, and is accepted.
func (p *provisioned) testRequests(t *testing.T, ctx context.Context) {
	carol, err := p.stack.NewContact(ctx, "Carol", 1)
	if err != nil {
		t.Fatal(err)
	}
	asks := func(text string) {
		t.Helper()
		sent, err := carol.Device().SendText(ctx, p.alice.Address, text)
		if err == nil {
			// She learns nothing, but the gatekeeper knows when the bridge is done with it.
			_, err = p.stack.Gatekeeper.WaitSaw(ctx, 0, "the bridge's ack", func(record gatekeeper.Record) bool {
				return record.Kind == "ack message" && record.ID == sent
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	asking := func(want int) {
		t.Helper()
		var list map[string]struct {
			Asking   int
			Requests []struct{ Address string }
		}
		p.as(t, http.StatusOK, "GET", "requests", nil, &list)
		if got := list[stack.GatekeeperID]; got.Asking != want || len(got.Requests) != want || want == 1 && got.Requests[0].Address != carol.Phone {
			t.Errorf("asking: %+v instead of %d", got, want)
		}
	}
	asking(0)
	asks("hello")
	asking(1)
	contact := "contacts/" + url.PathEscape(carol.Phone) + "/"
	p.as(t, http.StatusConflict, "POST", contact+"undecline", nil, nil)
	p.as(t, http.StatusOK, "POST", contact+"decline", nil, nil)
	asking(0)
	p.as(t, http.StatusOK, "POST", contact+"undecline", nil, nil)
	asks("hello once more")
	asking(1)
	var declined map[string]struct{ Declined int }
	if p.as(t, http.StatusOK, "POST", "requests/decline", nil, &declined); declined[stack.GatekeeperID].Declined != 1 {
		t.Errorf("declined: %v", declined)
	}
	asking(0)
	p.ask(t, http.StatusNotFound, "POST", p.path("requests/decline")+"&gatekeeper=another", nil, "Authorization", "Bearer "+p.secret)
	p.as(t, http.StatusOK, "POST", contact+"undecline", nil, nil)
	asks("hello again")
	asking(1)
	p.as(t, http.StatusOK, "POST", contact+"accept", nil, nil)
	asking(0)
	p.as(t, http.StatusConflict, "POST", contact+"decline", nil, nil)
	for _, verb := range []string{"accept", "decline", "undecline"} {
		p.as(t, http.StatusNotFound, "POST", "contacts/4915799999999/"+verb, nil, nil)
	}
	p.as(t, http.StatusConflict, "POST", "contacts/nobody/accept", nil, nil)
}

func (p *provisioned) testTrust(t *testing.T, ctx context.Context, room id.RoomID, bob *stack.Contact) {
	contact := "contacts/" + url.PathEscape(bob.Phone) + "/"
	puppet := "contacts/" + url.PathEscape("@postern_whatsapp-"+strings.TrimPrefix(bob.Phone, "+")+":"+p.stack.Homeserver.Domain()) + "/"
	var code struct {
		Digits                string
		Compared, Stale, Held bool
	}
	p.as(t, http.StatusOK, "GET", contact+"code", nil, &code)
	if len(code.Digits) != 60 || code.Compared || code.Stale {
		t.Errorf("the code is %+v", code)
	}
	p.as(t, http.StatusConflict, "POST", contact+"verify", input{"digits": strings.Repeat("0", 60)}, nil)
	p.as(t, http.StatusOK, "POST", puppet+"verify", input{"digits": code.Digits}, nil)
	if p.as(t, http.StatusOK, "GET", puppet+"code", nil, &code); !code.Compared {
		t.Error("the code is not marked")
	}
	p.as(t, http.StatusConflict, "POST", contact+"unblock", nil, nil)
	p.as(t, http.StatusOK, "POST", contact+"block", nil, nil)
	var blocks map[string][]struct{ Address string }
	p.as(t, http.StatusOK, "GET", "blocks", nil, &blocks)
	if blocked := blocks[stack.GatekeeperID]; len(blocked) != 1 || blocked[0].Address != bob.Phone {
		t.Errorf("blocked: %v", blocks)
	}
	p.as(t, http.StatusOK, "POST", puppet+"unblock", nil, nil)
	p.as(t, http.StatusConflict, "POST", contact+"trust", nil, nil) // nothing waits
	p.as(t, http.StatusOK, "PUT", "settings/hold-on-new-key", input{"value": "on"}, nil)
	if _, err := p.alice.SendText(ctx, room, "before"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Device().WaitMessage(ctx, "before"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bob.Device().Reinstall(ctx), bob.Device().Connect(ctx)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.alice.SendText(ctx, room, "after"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.alice.Wait(ctx, "notice", matrixuser.NoticeIn(room, "", "Until you agree")); err != nil {
		t.Fatal(err)
	}
	if p.as(t, http.StatusOK, "GET", contact+"code", nil, &code); !code.Held || code.Compared {
		t.Errorf("after a change of keys the code is %+v", code)
	}
	p.as(t, http.StatusOK, "POST", contact+"trust", nil, nil)
	if _, err := bob.Device().WaitMessage(ctx, "after"); err != nil {
		t.Error(err)
	}
	for _, request := range []string{"GET code", "POST block", "POST unblock", "POST trust"} {
		method, verb, _ := strings.Cut(request, " ")
		p.as(t, http.StatusConflict, method, "contacts/nobody/"+verb, nil, nil)
		p.ask(t, http.StatusNotFound, method, p.path(contact+verb)+"&gatekeeper=another", nil, "Authorization", "Bearer "+p.secret)
	}
	p.ask(t, http.StatusNotFound, "POST", p.path(contact+"verify")+"&gatekeeper=another", strings.NewReader(`{"digits":"0"}`),
		"Authorization", "Bearer "+p.secret, "Content-Type", "application/json")
	p.ask(t, http.StatusNotFound, "GET", p.path("blocks")+"&gatekeeper=another", nil, "Authorization", "Bearer "+p.secret)
}

func (p *provisioned) testRetry(t *testing.T, room string) {
	var answer struct{ Fetched int }
	p.as(t, http.StatusOK, "POST", "retry", input{"room_id": room}, &answer)
	if answer.Fetched != 0 {
		t.Errorf("%d files were fetched, and there was none", answer.Fetched)
	}
	p.as(t, http.StatusNotFound, "POST", "retry", input{"room_id": "!nowhere:example.org"}, nil)
	p.as(t, http.StatusNotFound, "POST", "retry", input{"room_id": p.alice.Management}, nil)
}

func (p *provisioned) testExport(t *testing.T) {
	var export struct {
		User        string
		Enlistments []struct{ State string }
		AuditLog    []struct{ Kind string } `json:"audit_log"`
	}
	p.as(t, http.StatusOK, "GET", "export", nil, &export)
	if export.User != p.alice.ID().String() || len(export.Enlistments) != 1 || len(export.AuditLog) < 2 || export.AuditLog[0].Kind != "consent" {
		t.Errorf("the export is %+v", export)
	}
}

// testEEA lets the gatekeeper ask for the declaration from now on. Who did not make it is suspended.
func (p *provisioned) testEEA(t *testing.T, ctx context.Context, room string, admins id.RoomID) {
	p.as(t, http.StatusNotFound, "POST", "eea", input{"declared": true}, nil)
	err := p.stack.Bridge.Stop(ctx)
	if err == nil {
		err = p.stack.Bridge.EditConfig(func(config map[string]any) {
			entry := config["gatekeepers"].([]any)[0].(map[string]any)
			entry["eea_declaration"], entry["eea_withdrawn"] = true, "suspend"
			config["admin_room"] = admins.String()
		})
	}
	if err == nil {
		err = p.stack.Bridge.Start(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.as(t, http.StatusForbidden, "POST", "retry", input{"room_id": room}, nil)
	p.as(t, http.StatusNotFound, "POST", "eea", input{"declared": true, "gatekeeper": "another"}, nil)
	var answer struct{ Messages map[string]string }
	p.as(t, http.StatusOK, "POST", "eea", input{"declared": true}, &answer)
	if !strings.Contains(answer.Messages[stack.GatekeeperID], "go on") {
		t.Errorf("declared: %q", answer.Messages)
	}
	p.as(t, http.StatusOK, "POST", "retry", input{"room_id": room}, nil)
	p.as(t, http.StatusOK, "POST", "eea", input{"declared": false, "gatekeeper": stack.GatekeeperID}, &answer)
	if !strings.Contains(answer.Messages[stack.GatekeeperID], "suspended") {
		t.Errorf("withdrawn: %q", answer.Messages)
	}
	p.as(t, http.StatusOK, "POST", "eea", input{"declared": true}, nil)
}

// makeAdminRoom makes a room of Alice and the bot, who are the admins of this test. The bot joins it when it is in the config.
func (p *provisioned) makeAdminRoom(t *testing.T, ctx context.Context) id.RoomID {
	t.Helper()
	room, err := p.alice.InviteToDirectChat(ctx, p.stack.Bot(), true)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

func (p *provisioned) testReport(t *testing.T, ctx context.Context, bob *stack.Contact, admins id.RoomID) {
	path := "contacts/" + url.PathEscape(bob.Phone) + "/report"
	p.as(t, http.StatusOK, "POST", path, input{"reason": "they want money", "last": 1}, nil)
	if _, err := p.alice.WaitMessage(ctx, admins, p.stack.Bot(), "they want money"); err != nil {
		t.Error(err)
	}
	p.as(t, http.StatusConflict, "POST", path, input{"last": 21}, nil)
	p.as(t, http.StatusConflict, "POST", path, input{"reason": strings.Repeat("x", 1001)}, nil)
	p.ask(t, http.StatusNotFound, "POST", p.path(path)+"&gatekeeper=another", strings.NewReader(`{"last":1}`),
		"Authorization", "Bearer "+p.secret, "Content-Type", "application/json")
}

func (p *provisioned) testErase(t *testing.T, ctx context.Context) {
	p.as(t, http.StatusBadRequest, "POST", "erase", input{"confirm": false}, nil)
	var pending struct{ Pending map[string]string }
	if p.as(t, http.StatusOK, "GET", "erase", nil, &pending); len(pending.Pending) != 0 {
		t.Errorf("pending before anybody leaves: %v", pending)
	}
	var answer struct{ Leaving []string }
	p.as(t, http.StatusOK, "POST", "erase", input{"confirm": true}, &answer)
	if !slices.Equal(answer.Leaving, []string{stack.GatekeeperID}) {
		t.Errorf("leaving %q", answer.Leaving)
	}
	if _, err := p.alice.WaitMessage(ctx, p.alice.Management, p.stack.Bot(), "You have left"); err != nil {
		t.Error(err)
	}
	p.as(t, http.StatusOK, "POST", "erase", input{"confirm": true}, &answer)
	if len(answer.Leaving) != 0 {
		t.Errorf("leaving again: %q", answer.Leaving)
	}
}
