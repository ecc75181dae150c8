package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"postern/interop"
	"postern/testbed/cmd/bench/partner"
	"postern/testbed/cmd/bench/peer"
	"postern/testbed/sandbox"
	"postern/testbed/scratch"
)

// lone is a gatekeeper with a partner that has no Matrix and no bridge.
type lone struct {
	dir        string
	partner    *partner.Server
	sandbox    *sandbox.Server
	gatekeeper *interop.Gatekeeper
	contacts   []*peer.Contact
	phones     int // numbers that were given out
}

// startLone starts both servers, on a RAM disk if there is one. The caller must close it.
func (b *bench) startLone(ctx context.Context) (*lone, error) {
	dir, err := scratch.New("bench")
	if err != nil {
		return nil, err
	}
	l := &lone{dir: dir}
	if err = l.start(ctx, b); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lone) start(ctx context.Context, b *bench) error {
	binary, err := b.builder.Postern(ctx)
	if err != nil {
		return err
	}
	for _, part := range []string{"partner", "gatekeeper"} {
		if err = os.Mkdir(filepath.Join(l.dir, part), 0o700); err != nil {
			return err
		}
	}
	if l.partner, err = partner.Start(ctx, filepath.Join(l.dir, "partner")); err != nil {
		return err
	}
	l.sandbox, err = sandbox.New(sandbox.Options{
		Binary: binary, Dir: filepath.Join(l.dir, "gatekeeper"), Partner: l.partner.Partner(),
	})
	if err != nil {
		return err
	}
	l.gatekeeper = l.partner.Gatekeeper(l.sandbox)
	return l.sandbox.Start(ctx)
}

// addContacts connects WhatsApp users.
func (l *lone) addContacts(ctx context.Context, count int) error {
	for range count {
		number := firstPhone + l.phones
		l.phones++
		contact, err := peer.NewContact(ctx, peerServer(l.sandbox), fmt.Sprintf("+%d", number), fmt.Sprintf("Contact %d", number))
		if err != nil {
			return err
		}
		l.contacts = append(l.contacts, contact)
	}
	return nil
}

func peerServer(server *sandbox.Server) peer.Server {
	return peer.Server{Directory: server, ChatURL: server.ChatURL().String(), RootKey: server.RootKey()}
}

// closeContacts ends the contacts' connections. Their accounts stay.
func (l *lone) closeContacts() {
	for _, contact := range l.contacts {
		contact.Close()
	}
	l.contacts = nil
}

// close ends everything and removes all files.
func (l *lone) close() error {
	l.closeContacts()
	var problems []error
	if l.sandbox != nil {
		l.sandbox.Kill() // nobody needs its files any more
	}
	if l.partner != nil {
		problems = append(problems, l.partner.Close())
	}
	return errors.Join(append(problems, os.RemoveAll(l.dir))...)
}
