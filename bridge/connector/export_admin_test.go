package connector

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/interop"
	"postern/portal"
)

// TellNews tells the admins all that they have to hear now.
func (n *Network) TellNews(ctx context.Context) { n.adminRoom.TellDue(ctx) }

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
