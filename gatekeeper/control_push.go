package gatekeeper

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"go.mau.fi/whatsmeow/types"
)

// maxPushCount bounds how many pushes one request may ask for.
const maxPushCount = 10_000

// controlPush sends pushes for an account at once, whether something waits or not and whether it is connected or not. A name that no
// account has is sent as it stands to the first partner.
func (s *Server) controlPush(r *http.Request) (any, error) {
	request := struct {
		Account string `json:"account"`
		Times   int    `json:"times"`
	}{Times: 1}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if request.Times < 0 || request.Times > maxPushCount {
		return nil, badRequest("times must be from 0 to " + strconv.Itoa(maxPushCount))
	} else if len(s.config.Partners) == 0 || s.config.PushIssuer == "" {
		return nil, badRequest("there is no partner, or no issuer for pushes")
	}
	partner, to, account := s.config.Partners[0], request.Account, types.EmptyJID
	if found, err := s.accountNamed(r, request.Account); err == nil && found.IsInterop() {
		if its, ok := s.pushes.partnerOf(found.JID); ok {
			partner, to, account = its, found.UserVisibleID, found.JID
		}
	}
	return map[string]any{"statuses": s.pushes.pushMany(r.Context(), partner, to, account, request.Times)}, nil
}

// pushMany counts the answers by their status; those that did not come count as "failed".
func (p *pusher) pushMany(ctx context.Context, partner Partner, to string, account types.JID, times int) map[string]int {
	statuses := make(map[string]int)
	var (
		mu   sync.Mutex
		work sync.WaitGroup
	)
	for range times {
		work.Go(func() {
			outcome := "failed"
			if status, _, err := p.push(ctx, partner, to, account); err == nil {
				outcome = strconv.Itoa(status)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[outcome]++
		})
	}
	work.Wait()
	return statuses
}

// controlRotatePushKeys makes a new key that signs pushes from now on.
func (s *Server) controlRotatePushKeys(r *http.Request) (any, error) {
	var request struct {
		Drop bool `json:"drop"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	}
	kid, err := s.pushes.keys.rotate(request.Drop)
	if err != nil {
		return nil, err
	}
	return map[string]string{"kid": kid}, nil
}
