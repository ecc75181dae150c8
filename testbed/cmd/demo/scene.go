package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/programs"
	"postern/testbed/record"
	"postern/testbed/stack"
)

// scene is the installation and the people in it.
type scene struct {
	view  *view
	stack *stack.Stack

	alice      *stack.BridgeUser
	bob, carol *stack.Contact
	// chat is Alice's chat with Bob.
	chat id.RoomID
	// phone is the address of Bob's phone in a browser.
	phone string
}

// setUp starts the servers and makes the people. On an error nothing is left.
func setUp(ctx context.Context, v *view, builder *programs.Builder) (*scene, error) {
	v.title("Starting an installation")
	s := &scene{view: v}
	err := v.step("servers", "Dendrite, the sandbox gatekeeper, and postern with the config that postern init made", func() (err error) {
		s.stack, err = stack.Start(ctx, stack.Options{Homeserver: homeserver.Dendrite, Builder: builder})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err = s.invitePeople(ctx); err != nil {
		return nil, errors.Join(err, s.stack.Close())
	}
	return s, nil
}

func (s *scene) invitePeople(ctx context.Context) error {
	return s.view.step("people", "Alice has a Matrix account; Bob, with two devices and a phone in the browser, and Carol have WhatsApp", func() (err error) {
		if s.alice, err = s.stack.NewBridgeUser(ctx, "alice"); err != nil {
			return err
		}
		if s.bob, err = s.stack.NewContact(ctx, "Bob", 2); err != nil {
			return err
		}
		if s.phone, err = s.stack.Gatekeeper.OpenPhone(ctx, s.bob.Phone); err != nil {
			return err
		}
		s.carol, err = s.stack.NewContact(ctx, "Carol", 1)
		return err
	})
}

// play is the whole conversation.
func (s *scene) play(ctx context.Context) error {
	for _, act := range []func(context.Context) error{s.enlist, s.startChat, s.talk, s.share, s.lookAtPhone, s.callIn} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// enlist lets Alice talk to the bot until she may write to WhatsApp.
func (s *scene) enlist(ctx context.Context) error {
	s.view.title("Alice enlists, by talking to the bridge's bot")
	mark := s.alice.Mark()
	if err := s.alice.Enlist(ctx); err != nil {
		return err
	}
	s.showManagement(mark)
	return nil
}

// startChat begins the chat with Bob by his phone number.
func (s *scene) startChat(ctx context.Context) (err error) {
	s.view.title("Alice starts a chat by phone number")
	mark := s.alice.Mark()
	s.chat, err = s.alice.StartChat(ctx, s.bob.Phone)
	if err != nil {
		return err
	}
	s.showManagement(mark)
	s.view.print("")
	s.view.note("Alice is in the chat already: the bridge joined it for her, encrypted it, marked it as direct, and put it into a space named Third-party chats.")
	return nil
}

// showManagement shows what Alice and the bot wrote to each other after the mark.
func (s *scene) showManagement(mark record.Mark) {
	for _, evt := range s.alice.Since(mark) {
		switch {
		case matrixuser.MessageIn(s.alice.Management, s.alice.ID(), "")(evt):
			s.view.left("Alice to the bot", evt.Content.AsMessage().Body)
		case matrixuser.MessageIn(s.alice.Management, s.stack.Bot(), "")(evt):
			s.view.right("bot", evt.Content.AsMessage().Body)
		}
	}
}

// talk is the conversation with Bob.
func (s *scene) talk(ctx context.Context) error {
	s.view.title("Alice and Bob write to each other")
	if err := s.aliceSays(ctx, "Hello Bob! I am on Matrix, you are on WhatsApp."); err != nil {
		return err
	}
	if err := s.contactSays(ctx, s.bob, s.chat, "Hello *Alice*! And nobody in between can read _this_?"); err != nil {
		return err
	}
	return s.aliceSays(ctx, "**Nobody.** Only my server's bridge can, because it has to encrypt it again.")
}

// callIn is a message from someone Alice never wrote to. She sees who it is, and reads it after she has accepted.
func (s *scene) callIn(ctx context.Context) error {
	s.view.title("Carol writes first: Alice is asked before she sees anything")
	mark, words := s.alice.Mark(), "Hi Alice, Bob gave me your address."
	if err := s.contactWrites(ctx, s.carol, words); err != nil {
		return err
	}
	name, err := s.alice.WaitAfter(ctx, mark, "invitation", func(evt *event.Event) bool {
		_, ok := evt.Content.Parsed.(*event.RoomNameEventContent)
		return ok && evt.Mautrix.EventSource&event.SourceInvite != 0
	})
	if err != nil {
		return err
	}
	s.view.left("Alice is invited by", name.Content.AsRoomName().Name)
	if err = s.alice.Join(ctx, name.RoomID); err != nil {
		return err
	}
	s.view.left("Alice", "joins, which accepts it")
	return s.aliceReceives(ctx, mark, s.carol, name.RoomID, words)
}

// aliceSays sends, waits until all of Bob's devices have it, and shows what the servers saw.
func (s *scene) aliceSays(ctx context.Context, markdown string) error {
	sent, err := s.alice.SendMarkdown(ctx, s.chat, markdown)
	if err != nil {
		return err
	}
	onHomeserver, err := s.onHomeserver(ctx, s.chat, sent)
	if err != nil {
		return err
	}
	s.view.left("Alice", markdown, onHomeserver)
	probe := strings.Fields(strings.Trim(markdown, "*"))[0]
	probe = strings.Trim(probe, "*!.")
	heard, err := s.bob.Device().WaitMessage(ctx, probe)
	if err != nil {
		return err
	}
	for _, device := range s.bob.Devices[1:] {
		if _, err = device.WaitMessage(ctx, probe); err != nil {
			return err
		}
	}
	atGatekeeper, err := s.atGatekeeper(ctx, heard.Info.ID)
	if err != nil {
		return err
	}
	s.view.right("Bob receives", text(heard), atGatekeeper, fmt.Sprintf("on %d devices", len(s.bob.Devices)))
	return s.bobReads(ctx, heard, sent)
}

// bobReads lets Bob open the chat, and waits until Alice sees that he did.
func (s *scene) bobReads(ctx context.Context, heard *events.Message, sent id.EventID) error {
	if err := s.bob.Device().MarkRead(ctx, heard.Info.Chat, heard.Info.ID); err != nil {
		return err
	}
	_, err := s.alice.Wait(ctx, "Bob's read receipt", func(evt *event.Event) bool {
		return evt.RoomID == s.chat && matrixuser.ReadBySomeoneElse(sent, s.alice.ID(), s.stack.Bot())(evt)
	})
	if err != nil {
		return err
	}
	s.view.left("Alice sees", "Bob has read it")
	return nil
}

// contactSays sends, waits until Alice has it, and shows what the servers saw. An empty room is any.
func (s *scene) contactSays(ctx context.Context, contact *stack.Contact, room id.RoomID, words string) error {
	mark := s.alice.Mark()
	if err := s.contactWrites(ctx, contact, words); err != nil {
		return err
	}
	return s.aliceReceives(ctx, mark, contact, room, words)
}

// contactWrites sends and shows what the gatekeeper saw.
func (s *scene) contactWrites(ctx context.Context, contact *stack.Contact, words string) error {
	sent, err := contact.Device().SendText(ctx, s.alice.Address, words)
	if err != nil {
		return err
	}
	atGatekeeper, err := s.atGatekeeper(ctx, sent)
	if err != nil {
		return err
	}
	s.view.right(contact.Name, words, atGatekeeper)
	return nil
}

// aliceReceives waits until Alice has a contact's words, and shows what the homeserver saw.
func (s *scene) aliceReceives(ctx context.Context, mark record.Mark, contact *stack.Contact, room id.RoomID, words string) error {
	fromContact := matrixuser.MessageIn(room, "", strings.Trim(strings.Fields(words)[0], "*,!"))
	received, err := s.alice.WaitAfter(ctx, mark, "message of "+contact.Name, func(evt *event.Event) bool {
		return evt.Sender != s.alice.ID() && fromContact(evt)
	})
	if err != nil {
		return err
	}
	onHomeserver, err := s.onHomeserver(ctx, received.RoomID, received.ID)
	if err != nil {
		return err
	}
	s.view.left("Alice receives", received.Content.AsMessage().Body, onHomeserver)
	return nil
}
