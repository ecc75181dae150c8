package connector

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/interop"
	"postern/portal"
)

// TellNews tells the admins all that they have to hear now.
func (n *Network) TellNews(ctx context.Context) {
	n.adminRoom.load(ctx)
	for n.adminRoom.tellNext(ctx) == 0 {
	}
}

// AdminRoom is what tells the admins.
type AdminRoom struct{ room *adminRoom }

// NewsPost is where it writes to.
type NewsPost interface {
	Send(content *event.MessageEventContent) (id.EventID, error)
	Edit(replaced id.EventID, content *event.MessageEventContent) error
}

type exportedPost struct{ NewsPost }

func (p exportedPost) send(_ context.Context, content *event.MessageEventContent) (id.EventID, error) {
	return p.Send(content)
}

func (p exportedPost) edit(_ context.Context, replaced id.EventID, content *event.MessageEventContent) error {
	return p.Edit(replaced, content)
}

func NewAdminRoom(post NewsPost, kv *database.KV, clock interop.Clock) AdminRoom {
	return AdminRoom{newAdminRoom(exportedPost{post}, kv, clock)}
}

func (r AdminRoom) Load(ctx context.Context) { r.room.load(ctx) }
func (r AdminRoom) Save(ctx context.Context) { r.room.save(ctx) }
func (r AdminRoom) Hear(group, text string, once bool) {
	r.room.hear(adminNews{group: group, text: text, once: once})
}

// TellAll sends what is due and returns when to look again.
func (r AdminRoom) TellAll(ctx context.Context) time.Duration {
	for {
		if wait := r.room.tellNext(ctx); wait != 0 {
			return wait
		}
	}
}

// Groups is how many it remembers.
func (r AdminRoom) Groups() int { return len(r.room.groups) }

const (
	NewsWindow    = newsWindow
	NewsPause     = newsPause
	MaxNewsGroups = maxNewsGroups
)

// Limits counts what users do in a day.
type Limits struct{ limits *limits }

// UsageStore is where it is stored.
type UsageStore = usageStore

func NewLimits(perDay map[string]int64, usage UsageStore, clock interop.Clock) Limits {
	kinds := make(map[LimitKind]int64)
	for kind, limit := range perDay {
		kinds[LimitKind(kind)] = limit
	}
	return Limits{newLimits(kinds, usage, clock, func(*limitError) {})}
}

// Take returns what the user reads, "" if it is allowed.
func (l Limits) Take(ctx context.Context, user id.UserID, kind string, n int64) (string, error) {
	err := l.limits.take(ctx, user, LimitKind(kind), n)
	if limited, ok := err.(*limitError); ok {
		return textLimit(limited), nil
	}
	return "", err
}

// Suspend and Unsuspend are what the admin commands do.
func (n *Network) Suspend(ctx context.Context, user id.UserID, reason string) error {
	return n.suspend(ctx, user, reason, "@root:example.org")
}

func (n *Network) Unsuspend(ctx context.Context, user id.UserID) error {
	return n.unsuspend(ctx, user, "@root:example.org")
}

// FollowSuspensions is done again and again.
func (n *Network) FollowSuspensions(ctx context.Context) error {
	return n.followSuspensions(ctx)
}

// AuditLog returns the kinds of all entries, in order.
func (n *Network) AuditLog(ctx context.Context) (kinds []string, err error) {
	entries, err := n.Database.Audit().Page(ctx, 0, time.Time{}, 1000)
	for _, entry := range entries {
		kinds = append(kinds, entry.Kind+" "+entry.Actor)
	}
	return kinds, err
}

// Allow counts a message against the user's daily limits.
func (c *Client) Allow(ctx context.Context, messageID string, file bool) error {
	outgoing := &portal.Outgoing{}
	if file {
		outgoing.Attachment = &portal.Attachment{}
	}
	return c.allow(ctx, messageID, outgoing, reference{isMessage, "$event"})
}

// KeepInOutbox has a message wait to be sent.
func (c *Client) KeepInOutbox(ctx context.Context, messageID string) error {
	_, err := c.network.Database.AccountStore(c.enlistment.Account).Enqueue(ctx, interop.Outgoing{
		ID: messageID, Chat: c.enlistment.JID, Plaintext: []byte("text"), Created: time.Now(),
	})
	return err
}

// ReadInputs reads a body as each of the inputs of the provisioning interface, and returns the statuses that are answered, 0 for what is
// well-formed.
func ReadInputs(body string) (statuses []int) {
	for _, input := range []any{&eraseInput{}, &eeaInput{}, &retryInput{}, &settingInput{}, &verifyInput{}, &reportInput{}} {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		request.Body = http.MaxBytesReader(httptest.NewRecorder(), request.Body, maxProvisionBody)
		status := 0
		if err := readInput(request, input); err != nil {
			refused, _ := provisionError(err)
			status = refused.StatusCode
		}
		statuses = append(statuses, status)
	}
	return statuses
}

// MaxProvisionBody is the largest body, in bytes.
const MaxProvisionBody = maxProvisionBody

// ProvisionError returns the answer to an error.
func ProvisionError(err error) (*httptest.ResponseRecorder, int) {
	refused, retryAfter := provisionError(err)
	answer := httptest.NewRecorder()
	refused.Write(answer)
	return answer, retryAfter
}

// LimitReached is what a user gets who comes to a limit at a time.
func LimitReached(limits Limits, user id.UserID, kind string) error {
	return limits.limits.take(context.Background(), user, LimitKind(kind), 1<<40)
}
