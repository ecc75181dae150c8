package phone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// actionTimeout bounds what the user does that is no message.
const actionTimeout = 15 * time.Second

// within is the context of what the user does.
func (p *Phone) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.client.BackgroundEventCtx, actionTimeout)
}

// Accept lets the contact of a request write. It is remembered over a restart.
func (p *Phone) Accept(key string) error {
	p.mu.Lock()
	c := p.memory.chats[addressOf(key)]
	known := c != nil
	var contact Contact
	accepted := false
	if known {
		contact, accepted = c.contact, c.accepted
	}
	p.mu.Unlock()
	if !known {
		return ErrNoChat
	} else if accepted {
		return nil
	}
	ctx, cancel := p.within()
	defer cancel()
	if err := p.save(ctx, contact); err != nil {
		return err
	}
	return p.update(ctx, contact.Address, true, func(c *chat) { c.accepted = true })
}

// save writes the contact into the phone's address book.
func (p *Phone) save(ctx context.Context, contact Contact) error {
	if err := p.client.Store.Contacts.PutContactName(ctx, contact.Address, TidyName(contact.Name), contact.ID); err != nil {
		return fmt.Errorf("failed to save a contact: %w", err)
	}
	return nil
}

// Decline deletes a request. The contact hears nothing, and can make a new one.
func (p *Phone) Decline(key string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.memory.chats[addressOf(key)]
	if c == nil {
		return ErrNoChat
	}
	p.memory.forget(c)
	p.changed()
	return nil
}

// Block makes the gatekeeper throw away what a contact sends, or ends that.
func (p *Phone) Block(key string, block bool) error {
	p.mu.Lock()
	c := p.memory.chats[addressOf(key)]
	p.mu.Unlock()
	if c == nil {
		return ErrNoChat
	}
	action := events.BlocklistChangeActionUnblock
	if block {
		action = events.BlocklistChangeActionBlock
	}
	ctx, cancel := p.within()
	defer cancel()
	list, err := p.client.UpdateBlocklist(ctx, addressOf(key), action)
	if err != nil {
		return fmt.Errorf("failed to change the blocklist: %w", err)
	}
	p.setBlocked(list)
	return nil
}

// loadBlocklist asks whom the user blocked, which another device may have changed. What fails is tried again with the next
// connection.
func (p *Phone) loadBlocklist() {
	ctx, cancel := p.within()
	defer cancel()
	list, err := p.client.GetBlocklist(ctx)
	if err != nil {
		p.log.Err(err).Msg("Phone cannot load its blocklist")
		return
	}
	p.setBlocked(list)
}

func (p *Phone) setBlocked(list *types.Blocklist) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.blocked)
	for _, address := range list.JIDs {
		p.blocked[address.ToNonAD()] = true
		if c := p.memory.chats[address.ToNonAD()]; c != nil {
			c.stopTyping()
		}
	}
	p.changed()
}

// Start begins a chat with the owner of a phone number, or with a partner's user by the identifier, and returns the key of the
// chat.
func (p *Phone) Start(ctx context.Context, name string) (key string, err error) {
	contact, err := p.registry.Find(ctx, name)
	if err != nil {
		return "", err
	}
	if contact.Address == p.client.Store.GetLID().ToNonAD() {
		return "", errors.New("that is this phone's own number")
	}
	if err = p.save(ctx, contact); err != nil {
		return "", err
	}
	return contact.Address.User, p.update(ctx, contact.Address, true, func(c *chat) { c.accepted = true })
}

// Asking returns who asks the user to turn third-party chats on, the latest first. Their names are tidy.
func (p *Phone) Asking(ctx context.Context) ([]Contact, error) {
	asking, err := p.registry.Asking(ctx, p.number)
	for i := range asking {
		asking[i].Name = cmp.Or(TidyName(asking[i].Name), asking[i].ID)
	}
	return asking, err
}

// Refresh makes pages look again at what the registry says.
func (p *Phone) Refresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed()
}

// Settings and SetSettings are what the user decided about third-party chats.
func (p *Phone) Settings(ctx context.Context) (Settings, error) {
	return p.registry.Settings(ctx, p.number)
}

// SetSettings changes what the user decided. The gatekeeper obeys at once.
func (p *Phone) SetSettings(ctx context.Context, settings Settings) error {
	if err := p.registry.SetSettings(ctx, p.number, settings); err != nil {
		return err
	}
	p.Refresh()
	return nil
}
