package interop

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// maxDraft bounds a draft, in bytes: room for a message of the largest size and what is to be done with it.
const maxDraft = 128 << 10

// ErrHopeless is what [Options.Complete] wraps into an error that trying again will not mend: the draft fails.
var ErrHopeless = errors.New("it will never succeed")

var (
	errNoCompleter = errors.New("the client was not told how to complete drafts")
	errNoMessage   = fmt.Errorf("no message came of the draft: %w", ErrHopeless)
)

// Draft is a message that has to be completed before it can be sent, such as one whose file is not uploaded yet.
type Draft struct {
	ID   types.MessageID
	Chat types.JID // without a device
	Ref  string
	// Data is what was given to SendDraft. It means nothing to the client.
	Data []byte
}

// SendDraft is like [Client.Send] for a message that [Options.Complete] makes of the draft, when its turn comes. Later
// messages of the chat wait for it, other chats go on. If that fails for good, its SendResult has the error.
// Errors: ErrTooLarge over 128 KiB, and those of Send.
func (c *Client) SendDraft(ctx context.Context, chat types.JID, id types.MessageID, draft []byte, ref string) error {
	if len(draft) > maxDraft {
		return ErrTooLarge
	}
	return c.enqueue(ctx, Outgoing{ID: id, Chat: chat, Plaintext: draft, Ref: ref, Draft: true})
}

// complete starts to complete a draft, in a goroutine of its own. Until that is done its chat waits, from the draft on;
// what comes before it may still be sent, or sent again. If the run ends before that, the chat waits for the next one.
// Callers hold mu.
func (o *outbox) complete(draft Outgoing) {
	if o.drafts == nil {
		o.drafts = make(map[types.JID]int64)
	}
	o.drafts[draft.Chat] = draft.Seq
	o.run.spawn(func() { o.finishDraft(draft, o.completeDraft(draft)) })
}

// waitsForDraft tells whether a message has to wait until a draft before it is completed, or is that one. Callers hold mu.
func (o *outbox) waitsForDraft(message *Outgoing) bool {
	seq, completing := o.drafts[message.Chat]
	return completing && message.Seq >= seq
}

// completeDraft makes the message of a draft and stores it in its place: from then on it is like any other.
func (o *outbox) completeDraft(draft Outgoing) error {
	complete := o.run.client.options.Complete
	if complete == nil {
		return errNoCompleter
	}
	message, err := complete(o.run.ctx, Draft{ID: draft.ID, Chat: draft.Chat, Ref: draft.Ref, Data: draft.Plaintext})
	if err != nil {
		return err
	} else if message == nil {
		return errNoMessage
	}
	plaintext, err := proto.Marshal(message)
	if err != nil {
		return fmt.Errorf("failed to serialize the message: %w: %w", ErrHopeless, err)
	} else if len(plaintext) > maxPlaintext {
		return fmt.Errorf("%w: %w", ErrTooLarge, ErrHopeless)
	}
	o.run.insist("storing a completed message", func(ctx context.Context) error { // if not, the next run completes it again
		return o.run.client.options.Store.CompleteOutgoing(ctx, draft.ID, plaintext)
	})
	return nil
}

// finishDraft lets the chat of a draft go on: at once if it is a message now or failed for good, after a pause if not.
func (o *outbox) finishDraft(draft Outgoing, reason error) {
	if reason != nil {
		o.run.log.Warn().Err(reason).Str("message_id", draft.ID).Msg("Draft was not completed")
	}
	if o.run.isEnding() {
		return // and what comes after it keeps waiting
	}
	hopeless := errors.Is(reason, ErrHopeless)
	failed := track(&draft)
	o.mu.Lock()
	delete(o.drafts, draft.Chat)
	if reason != nil && !hopeless {
		o.holdChatLocked(draft.Chat, "", draft.Seq)
	} else {
		if hopeless {
			o.trackLocked(failed) // it is being settled
		}
		o.setBack(draft.Seq - 1)
		o.wakeLocked()
	}
	o.mu.Unlock()
	if hopeless {
		o.finish(failed, reason)
	}
}
