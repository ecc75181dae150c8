package gatekeeper

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

const (
	// maxPushes is how many pushes are on their way at a time, to all partners together.
	maxPushes = 16
	// maxPushTries bounds the tries of one push: some ten minutes.
	maxPushTries = 15
	// maxPushAnswer bounds what is read of an answer, in bytes, to use the connection again.
	maxPushAnswer = 4 << 10
)

// pushTimes are how long things take between pushes for one user.
type pushTimes struct {
	// quiet is how long a user is left alone after a push that was taken, unless they connect.
	quiet time.Duration
	// retry is the first pause after a push that was not taken. Every further one is twice as long, up to quiet.
	retry time.Duration
}

var defaultPushTimes = pushTimes{quiet: time.Minute, retry: time.Second}

// pusher tells partners that something waits for users of theirs who are not connected. A goroutine belongs to each of
// these users, from the first try until the user connects or a while after the push was taken. All end with the server.
//
// Lock order: mu before the server's.
type pusher struct {
	server *Server
	client *http.Client
	times  pushTimes
	keys   pushKeys
	// requests has room for maxPushes.
	requests chan struct{}
	life     context.Context
	stop     context.CancelFunc

	mu    sync.Mutex
	users map[types.JID]*pushed // by device
}

// pushed is a user who is being told, or was told lately.
type pushed struct{ forget context.CancelFunc }

func newPusher(server *Server) *pusher {
	p := &pusher{
		server:   server,
		client:   &http.Client{Timeout: fetchTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		times:    defaultPushTimes,
		requests: make(chan struct{}, maxPushes),
		users:    make(map[types.JID]*pushed),
	}
	p.life, p.stop = context.WithCancel(server.background)
	return p
}

// mailStored pushes for a partner's user who got mail and is not connected. It does not wait.
func (p *pusher) mailStored(device types.JID) {
	if p.server.config.PushIssuer == "" || device.Server != types.InteropServer || p.server.hub.get(device) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, told := p.users[device]; told || !p.server.begin() {
		return
	}
	ctx, cancel := context.WithCancel(p.life)
	user := &pushed{cancel}
	p.users[device] = user
	go func() {
		defer p.server.work.Done()
		defer cancel()
		p.tell(ctx, device)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.users[device] == user {
			delete(p.users, device)
		}
	}()
}

// sessionEnded pushes for a partner's user who went away and left mail behind.
func (p *pusher) sessionEnded(device types.JID) {
	if device.Server != types.InteropServer || p.life.Err() != nil {
		return
	}
	_ = p.server.state.Store() // waits until what was acknowledged last is out of the mailbox
	if last, err := p.server.state.LastMail(p.life, device); err == nil && last > 0 {
		p.mailStored(device)
	}
}

// started pushes for those whose mail waits since before the server started.
func (p *pusher) started() {
	accounts, err := p.server.state.InteropAccounts(p.life)
	if err != nil && p.life.Err() == nil {
		p.server.log.Err(err).Msg("Failed to look for users to push for")
	}
	for _, account := range accounts {
		p.sessionEnded(interopDevice(account.JID))
	}
}

// connected ends what is under way for a user: there is no need to tell, and the next mail that waits is worth a push again.
func (p *pusher) connected(device types.JID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if user := p.users[device]; user != nil {
		user.forget()
		delete(p.users, device)
	}
}

// tell pushes until the partner takes it, refuses it for good, or ctx ends, and leaves the user alone for a while after that.
func (p *pusher) tell(ctx context.Context, device types.JID) {
	log := p.server.log.With().Str("device", wire.FormatJID(device)).Logger()
	account, err := p.server.directory.find(ctx, device)
	if err != nil {
		return // left meanwhile
	}
	partner, ok := p.partnerOf(device)
	if !ok {
		return
	}
	delay := p.times.retry
	for range maxPushTries {
		status, wait, err := p.push(ctx, partner, account.UserVisibleID, account.JID)
		if ctx.Err() != nil {
			return
		} else if err == nil && !worthRetrying(status) {
			break
		}
		log.Info().Err(err).Int("status", status).Msg("Push was not taken")
		if pause(ctx, max(delay, min(wait, p.times.quiet))) != nil {
			return
		}
		delay = min(2*delay, p.times.quiet)
	}
	_ = pause(ctx, p.times.quiet)
}

// worthRetrying tells statuses that may be other ones later. 401 is one of them: the partner may not have our newest key yet.
func worthRetrying(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	default:
		return status >= 500
	}
}

func (p *pusher) partnerOf(device types.JID) (Partner, bool) {
	for _, partner := range p.server.config.Partners {
		if partner.Integrator == device.Integrator {
			return partner, true
		}
	}
	return Partner{}, false
}

// push sends one push for a user-visible identifier and keeps a record. It returns the answer's status, and how long the partner asks
// to wait. account may be empty.
func (p *pusher) push(ctx context.Context, partner Partner, to string, account types.JID) (status int, wait time.Duration, err error) {
	select {
	case p.requests <- struct{}{}:
		defer func() { <-p.requests }()
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	status, wait, err = p.send(ctx, partner, to)
	record := state.Saw{Kind: "push"}
	if !account.IsEmpty() {
		record.To = wire.FormatJID(account)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, 0, err // nobody wants it any more
	case err != nil:
		record.Kind = "push failed"
	case status != http.StatusOK:
		record.Kind = "push " + strconv.Itoa(status)
	}
	p.server.note(record)
	return status, wait, err
}

func (p *pusher) send(ctx context.Context, partner Partner, to string) (status int, wait time.Duration, err error) {
	token, err := p.keys.token(p.server.config.PushIssuer, partner.Issuer, p.server.clock.now())
	if err != nil {
		return 0, 0, err
	}
	body, err := json.Marshal(map[string]string{"to": to})
	if err != nil {
		return 0, 0, fmt.Errorf("failed to encode a push: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, partner.pushURL(), bytes.NewReader(body))
	if err != nil {
		return 0, 0, fmt.Errorf("failed to make a push: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return 0, 0, fmt.Errorf("failed to push: %w", err)
	}
	_, err = io.CopyN(io.Discard, response.Body, maxPushAnswer)
	if err = errors.Join(response.Body.Close(), ignoreEOF(err)); err != nil {
		return 0, 0, fmt.Errorf("failed to read the answer to a push: %w", err)
	}
	seconds, _ := strconv.Atoi(cmp.Or(response.Header.Get("Retry-After"), "0"))
	return response.StatusCode, time.Duration(min(max(seconds, 0), 3600)) * time.Second, nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
