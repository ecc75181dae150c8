package interop

import (
	"context"
	"net/url"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Party is one end of Signal sessions, without a chat channel.
type Party struct {
	Address  types.JID
	keys     Keys
	store    Store
	sessions *sessions
}

// NewParty makes a party with a signed prekey and one-time prekeys in its store.
func NewParty(address types.JID, store Store, oneTimeKeys int) *Party {
	party := &Party{Address: address, keys: NewKeys(), store: store}
	party.sessions = newSessions(store, newLocalIdentity(&party.keys))
	ctx := context.Background()
	if err := store.AddSignedPreKey(ctx, party.keys.SignedPreKey); err != nil {
		panic(err)
	}
	for id := range oneTimeKeys {
		if err := store.AddPreKeys(ctx, []PreKey{{ID: uint32(id + 1), KeyPair: NewKeyPair()}}, true); err != nil {
			panic(err)
		}
	}
	return party
}

// PartyOf is the party of an account whose store already exists or is filled later: for its public keys.
func PartyOf(address types.JID, store Store, keys Keys) *Party {
	party := &Party{Address: address, keys: keys, store: store}
	party.sessions = newSessions(store, newLocalIdentity(&keys))
	return party
}

// BundleNodes returns the keys of the party as the gatekeeper gives them out; oneTimeID 0 is without a one-time key.
func (p *Party) BundleNodes(oneTimeID uint32) []waBinary.Node {
	nodes := []waBinary.Node{
		registrationNode(p.keys.RegistrationID),
		{Tag: "type", Content: []byte{djbType}},
		{Tag: "identity", Content: p.keys.Identity.Pub[:]},
		signedPreKeyNode(&p.keys.SignedPreKey),
	}
	if oneTimeID != 0 {
		if key, _ := p.store.LoadPreKey(context.Background(), oneTimeID); key != nil {
			nodes = append(nodes, preKeyNode(*key))
		}
	}
	return nodes
}

// Identity returns the party's public identity key.
func (p *Party) Identity() [32]byte { return p.keys.Identity.Pub }

// UseBundle starts a new session with a peer from the keys in a stanza.
func (p *Party) UseBundle(ctx context.Context, from types.JID, node *waBinary.Node, plaintext []byte) (Ciphertext, error) {
	bundle, err := parseBundle(node)
	if err != nil {
		return Ciphertext{}, err
	}
	result, err := p.sessions.encrypt(ctx, []plainMessage{{plaintext: plaintext, devices: []types.JID{from}}}, map[types.JID]*preKeyBundle{from: bundle}, true)
	if err != nil {
		return Ciphertext{}, err
	} else if err = result.refused[from]; err != nil {
		return Ciphertext{}, err
	}
	sent := result.messages[0][0]
	return Ciphertext{Kind: string(sent.kind), Data: sent.ciphertext}, nil
}

// Restart forgets what is in memory.
func (p *Party) Restart() { p.sessions = newSessions(p.store, p.sessions.local) }

// CachedSessions tells how many sessions are in memory.
func (p *Party) CachedSessions() int { return len(p.sessions.entries) }

// Reinstall gives the party a new identity.
func (p *Party) Reinstall(store Store) {
	*p = *NewParty(p.Address, store, 10)
}

// Ciphertext is a message on its way.
type Ciphertext struct {
	Kind string
	Data []byte
}

// Encrypt encrypts for one peer; bundleKey is the one-time key to start a session with, 0 for none.
func (p *Party) Encrypt(ctx context.Context, to *Party, plaintext []byte, oneTimeID uint32, replace bool) (Ciphertext, bool, error) {
	bundles := map[types.JID]*preKeyBundle{}
	missing, err := p.sessions.missing(ctx, []types.JID{to.Address})
	if err != nil {
		return Ciphertext{}, false, err
	}
	if len(missing) > 0 || replace {
		bundles[to.Address] = to.bundle(ctx, oneTimeID)
	}
	result, err := p.sessions.encrypt(ctx, []plainMessage{{plaintext: plaintext, devices: []types.JID{to.Address}}}, bundles, replace)
	if err != nil {
		return Ciphertext{}, false, err
	}
	if err = result.refused[to.Address]; err != nil {
		return Ciphertext{}, false, err
	}
	sent := result.messages[0][0]
	return Ciphertext{Kind: string(sent.kind), Data: sent.ciphertext}, len(result.changed) > 0, nil
}

func (p *Party) bundle(ctx context.Context, oneTimeID uint32) *preKeyBundle {
	signed := p.keys.SignedPreKey
	bundle := &preKeyBundle{
		registrationID: p.keys.RegistrationID, identity: p.keys.Identity.Pub,
		signedID: signed.ID, signed: signed.Pub, signature: signed.Signature,
	}
	if oneTimeID != 0 {
		key, err := p.store.LoadPreKey(ctx, oneTimeID)
		if err != nil || key == nil {
			panic("no such prekey")
		}
		bundle.oneTimeID, bundle.oneTime = oneTimeID, key.Pub
	}
	return bundle
}

// Decrypt decrypts a message from a peer. delivered is true if it had been delivered before.
func (p *Party) Decrypt(ctx context.Context, from *Party, message Ciphertext) (text string, delivered, newIdentity bool, err error) {
	result, err := p.sessions.decrypt(ctx, AddressOf(from.Address), encType(message.Kind), message.Data)
	if err != nil {
		return "", false, false, err
	} else if result.envelope == nil {
		return "", true, false, nil
	}
	decoded, newIdentity, err := openEnvelope(result.envelope)
	if err != nil {
		return "", false, newIdentity, err
	}
	return decoded.GetConversation(), false, newIdentity, nil
}

// MarkDelivered marks a message as delivered.
func (p *Party) MarkDelivered(ctx context.Context, from *Party, message Ciphertext) error {
	return p.store.MarkDelivered(ctx, receivedHash(AddressOf(from.Address), encType(message.Kind), message.Data))
}

// IsStoreError tells whether an error came from the store.
func IsStoreError(err error) bool {
	_, ok := err.(*storeError) //nolint:errorlint // it is always the outermost
	return ok
}

var (
	Pad   = pad
	Unpad = unpad
)

// OpenEnvelope opens what the inbox holds.
func OpenEnvelope(data []byte) (*waE2E.Message, bool, error) { return openEnvelope(data) }

// RecodeSession decodes and encodes a stored session.
func RecodeSession(data []byte) ([]byte, error) {
	session, err := decodeSession(data)
	if err != nil {
		return nil, err
	}
	return encodeSession(session.Structure())
}

// ParseEnlistAnswer reads the answer to an enlistment.
var ParseEnlistAnswer = parseEnlistAnswer

// ParseEverything runs all parsers of answers on a node.
func ParseEverything(node *waBinary.Node) {
	contact := types.NewJID("4915112345678", types.DefaultUserServer)
	if list := parseDevices(contact, node); len(list.devices) > maxDevices {
		panic("too many devices")
	}
	if bundle, err := parseBundle(node); err == nil {
		step := newSignalStep(newLocalIdentity(&fuzzKeys), nil, AddressOf(contact), nil)
		_ = step.start(context.Background(), bundle)
	}
	_ = parseContact(node)
	_ = parseFailure(node)
	_ = parseStreamError(node)
	_ = parseError(node)
	if ids := receiptIDs(node); len(ids) > 1024 {
		panic("too many ids")
	}
}

var fuzzKeys = NewKeys()

// MediaLocation returns where a file would be fetched from, given the media host.
func MediaLocation(host string, media *Media) (string, error) {
	base, err := url.Parse(host)
	if err != nil {
		return "", err
	}
	location, err := mediaLocation(&Gatekeeper{MediaURL: base}, media)
	if err != nil {
		return "", err
	}
	return location.String(), nil
}

// Completing tells how many drafts are being completed.
func (c *Client) Completing() int {
	o := &c.current.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.drafts)
}

// HasBegunToStop tells whether a stop has begun, so that no further handler call begins.
func (c *Client) HasBegunToStop() bool {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current == nil {
		return true
	}
	current.queues.mu.Lock()
	defer current.queues.mu.Unlock()
	return current.queues.stopping
}

// ParseBlocklist is parseBlocklist.
func ParseBlocklist(list *waBinary.Node) []types.JID { return parseBlocklist(list) }
