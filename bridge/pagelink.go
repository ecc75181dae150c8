package bridge

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/bridge/adminpage"
	"postern/bridge/config"
	"postern/database"
)

// A link to the admin page that `postern admin page` makes while the daemon runs goes through the database: who can read the database
// and the secret key, which is the bridge's own user on the machine, may do all that the page can, and no other way in is needed. Only
// the hash is stored, and only the newest link works.

// pageLinkName is the value's name.
const pageLinkName = "admin_page.link"

// ErrNoAdminPage: the config turns the page off.
var ErrNoAdminPage = errors.New("there is no admin page: set admin.listen in the config, such as to 127.0.0.1:29350, and restart the bridge")

type pageLink struct {
	Hash []byte    `json:"hash"`
	Ends time.Time `json:"ends"`
}

// NewAdminPageLink makes a link that logs in to the page of a bridge that runs, or starts soon. Errors: [ErrNoAdminPage].
func NewAdminPageLink(ctx context.Context, cfg *config.Config) (link string, err error) {
	url := cfg.Admin.PageURL()
	if url == "" {
		return "", ErrNoAdminPage
	}
	token, hash := adminpage.NewToken()
	err = beside(ctx, cfg, func(db *database.Database) error {
		value, err := json.Marshal(pageLink{Hash: hash, Ends: db.Now().Add(adminpage.LinkLife)})
		if err != nil {
			return fmt.Errorf("failed to write a link: %w", err)
		}
		return db.KV().Set(ctx, pageLinkName, value)
	})
	return adminpage.LinkTo(url, token), err
}

// redeemPageLink ends the link with a hash. It returns false if there is none, or it is too old.
func (p *pageData) redeemPageLink(ctx context.Context, hash []byte) (bool, error) {
	p.links.Lock() // so that it works once
	defer p.links.Unlock()
	kv := p.network.Database.KV()
	value, err := kv.Get(ctx, pageLinkName)
	if err != nil || value == nil {
		return false, err
	}
	var link pageLink
	if err = json.Unmarshal(value, &link); err != nil {
		return false, fmt.Errorf("failed to read a link: %w", err)
	}
	if subtle.ConstantTimeCompare(link.Hash, hash) != 1 {
		return false, nil
	}
	if err = kv.Delete(ctx, pageLinkName); err != nil {
		return false, err
	}
	return p.clock.Now().Before(link.Ends), nil
}
