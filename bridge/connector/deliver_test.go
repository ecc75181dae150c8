package connector_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/bridge/connector"
	"postern/bridge/homeserver"
	"postern/portal"
)

// answered is a failed request.
func answered(status int, code string) error {
	return fmt.Errorf("failed to send: %w", mautrix.HTTPError{
		Response: &http.Response{StatusCode: status}, RespError: &mautrix.RespError{ErrCode: code},
	})
}

func TestFailuresAreToldApart(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want any
	}{
		"connection refused":  {mautrix.HTTPError{WrappedError: errors.New("connection refused")}, connector.FailureWait},
		"our own database":    {errors.New("database is locked"), connector.FailureWait},
		"out of order":        {answered(502, "M_UNKNOWN"), connector.FailureWait},
		"too many requests":   {answered(429, "M_LIMIT_EXCEEDED"), connector.FailureWait},
		"token not accepted":  {answered(401, "M_UNKNOWN_TOKEN"), connector.FailureWait},
		"forbidden":           {answered(403, "M_FORBIDDEN"), connector.FailureRefused},
		"no such room":        {answered(404, "M_NOT_FOUND"), connector.FailureRefused},
		"room not encrypted":  {fmt.Errorf("failed: %w", homeserver.ErrNotEncrypted), connector.FailureRefused},
		"too large":           {answered(413, "M_TOO_LARGE"), connector.FailureTooLarge},
		"too large for proxy": {answered(413, "M_UNKNOWN"), connector.FailureTooLarge},
		"panic":               {connector.ErrHandling, connector.FailureFault},
	} {
		if got := connector.FailureKind(test.err); any(got) != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestMessageThatIsInTheRoomIsNotShownAgain(t *testing.T) {
	for name, test := range map[string]struct {
		message bridgev2.RemoteMessageUpsert
		edits   bool
	}{
		"message":     {connector.RemoteMessage("m", textOf("hello"), false, ""), false},
		"placeholder": {connector.RemoteMessage("m", nil, true, ""), false},
		"notice":      {connector.RemoteMessage("m", nil, false, "careful"), false},
	} {
		rows := []*mxdatabase.Message{{ID: "m", MXID: "$event", Metadata: &portal.MessageMetadata{}}}
		if edit := existing(t, test.message, rows); (edit != nil) != test.edits {
			t.Errorf("%s: %+v", name, edit)
		}
	}
}

func TestPlaceholderGivesWayToItsMessageOnce(t *testing.T) {
	rows := []*mxdatabase.Message{connector.PlaceholderRow(portal.Placeholder(), "m")}
	if edit := existing(t, connector.RemoteMessage("m", nil, true, ""), rows); edit != nil {
		t.Errorf("a second placeholder changes the room: %+v", edit)
	}
	message := connector.RemoteMessage("m", textOf("hello"), false, "")
	edit := existing(t, message, rows)
	if edit == nil || len(edit.ModifiedParts) != 1 || edit.AddedParts != nil || edit.ModifiedParts[0].Content.Body != "hello" {
		t.Fatalf("got %+v", edit)
	}
	rows[0] = edit.ModifiedParts[0].Part // as bridgev2 stores it
	if again := existing(t, message, rows); again != nil {
		t.Errorf("the message is shown again: %+v", again)
	}
}

func TestPlaceholderOfAMessageWithNothingToShowIsTakenAway(t *testing.T) {
	rows := []*mxdatabase.Message{connector.PlaceholderRow(portal.Placeholder(), "m")}
	edit := existing(t, connector.RemoteMessage("m", &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{}}, false, ""), rows)
	if edit == nil || len(edit.DeletedParts) != 1 || edit.ModifiedParts != nil {
		t.Errorf("got %+v", edit)
	}
}

func existing(t *testing.T, message bridgev2.RemoteMessageUpsert, rows []*mxdatabase.Message) *bridgev2.ConvertedEdit {
	t.Helper()
	result, err := message.HandleExisting(t.Context(), nil, nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	return connector.EditOf(result)
}

func textOf(text string) *waE2E.Message { return &waE2E.Message{Conversation: &text} }

var chatWithBob = networkid.PortalKey{ID: "bob", Receiver: "login"}
