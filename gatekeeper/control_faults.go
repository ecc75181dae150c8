package gatekeeper

import (
	"net/http"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// maxFaultCount bounds how often a fault may be asked to happen.
const maxFaultCount = 1_000_000

// sessionsOf returns the sessions that a fault is for: an account's, or all if no account is named.
func (s *Server) sessionsOf(r *http.Request, account string) ([]*session, error) {
	if account == "" {
		return s.hub.all(), nil
	}
	found, err := s.accountNamed(r, account)
	if err != nil {
		return nil, err
	}
	return s.hub.of(found), nil
}

// controlDrop cuts connections without a word, as a broken network does.
func (s *Server) controlDrop(r *http.Request) (any, error) {
	var request struct {
		Account string `json:"account"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	}
	sessions, err := s.sessionsOf(r, request.Account)
	if err != nil {
		return nil, err
	}
	for _, c := range sessions {
		c.cancel()
	}
	return map[string]int{"connections": len(sessions)}, nil
}

// controlStreamError ends connections with an error, such as 503, or a conflict, such as replaced.
func (s *Server) controlStreamError(r *http.Request) (any, error) {
	var request struct {
		Account  string `json:"account"`
		Code     int    `json:"code"`
		Conflict string `json:"conflict"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	}
	sessions, err := s.sessionsOf(r, request.Account)
	if err != nil {
		return nil, err
	}
	last := waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{}}
	if request.Code != 0 {
		last.Attrs["code"] = strconv.Itoa(request.Code)
	}
	if request.Conflict != "" {
		last.Content = []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": cut(request.Conflict, maxAttribute)}}}
	}
	for _, c := range sessions {
		c.end(last)
	}
	return map[string]int{"connections": len(sessions)}, nil
}

// controlRefuseLogins makes the next logins fail with a code.
func (s *Server) controlRefuseLogins(r *http.Request) (any, error) {
	var request struct {
		Account string `json:"account"`
		Code    int    `json:"code"`
		Times   int    `json:"times"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if request.Times < 0 || request.Times > maxFaultCount || request.Times > 0 && (request.Code < 400 || request.Code > 599) {
		return nil, badRequest("code must be from 400 to 599, times from 0 on")
	}
	var account types.JID
	if request.Account != "" {
		found, err := s.accountNamed(r, request.Account)
		if err != nil {
			return nil, err
		}
		account = found.JID
	}
	s.faults.refuse(account, request.Code, request.Times)
	return nil, nil
}

// controlRefuseEnlistments makes the next enlistments fail with a reason, which may be one that no partner knows.
func (s *Server) controlRefuseEnlistments(r *http.Request) (any, error) {
	request := struct {
		Reason string `json:"reason"`
		Times  int    `json:"times"`
	}{Times: 1}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if request.Times < 0 || request.Times > maxFaultCount || request.Reason == "" || len(request.Reason) > maxAttribute {
		return nil, badRequest("reason must be given, times from 0 on")
	}
	s.faults.refuseEnlisting(request.Reason, request.Times)
	return nil, nil
}

// controlAcks delays the acks of messages, or drops some.
func (s *Server) controlAcks(r *http.Request) (any, error) {
	var request struct {
		DelayMS int `json:"delay_ms"`
		Drop    int `json:"drop"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if request.DelayMS < 0 || request.DelayMS > 600_000 || request.Drop < 0 || request.Drop > maxFaultCount {
		return nil, badRequest("delay_ms must be from 0 to 600000, drop from 0 on")
	}
	s.faults.setAcks(time.Duration(request.DelayMS)*time.Millisecond, request.Drop)
	return nil, nil
}

// controlOutage begins or ends an outage of the public address.
func (s *Server) controlOutage(r *http.Request) (any, error) {
	var request struct {
		On bool `json:"on"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	}
	s.faults.setOutage(request.On)
	if request.On {
		for _, c := range s.hub.all() {
			c.cancel()
		}
	}
	return nil, nil
}

// controlCorrupt spoils the next ciphertexts for an account.
func (s *Server) controlCorrupt(r *http.Request) (any, error) {
	request := struct {
		Account string `json:"account"`
		Count   int    `json:"count"`
	}{Count: 1}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if request.Count < 0 || request.Count > maxFaultCount {
		return nil, badRequest("count must be from 0 on")
	}
	found, err := s.accountNamed(r, request.Account)
	if err != nil {
		return nil, err
	}
	s.faults.corruptNext(found.JID, request.Count)
	return nil, nil
}

// controlExpireTokens treats every identity token at login as expired, or not.
func (s *Server) controlExpireTokens(r *http.Request) (any, error) {
	var request struct {
		On bool `json:"on"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	}
	s.faults.setExpireTokens(request.On)
	return nil, nil
}

// controlClock moves the gatekeeper's clock against the system's, and removes what is too old then.
func (s *Server) controlClock(r *http.Request) (any, error) {
	var request struct {
		OffsetSeconds int64 `json:"offset_seconds"`
	}
	const tenYears = 10 * 365 * 24 * 60 * 60
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if request.OffsetSeconds < -tenYears || request.OffsetSeconds > tenYears {
		return nil, badRequest("offset_seconds must be within ten years")
	}
	s.clock.offset.Store(int64(time.Duration(request.OffsetSeconds) * time.Second))
	return map[string]int64{"now": s.clock.unix()}, s.tidy(r.Context())
}

// controlPreKeysLow tells the devices of an account that their prekeys run low, true or not.
func (s *Server) controlPreKeysLow(r *http.Request) (any, error) {
	var request struct {
		Account string `json:"account"`
		Left    int    `json:"left"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if request.Left < 0 || request.Left > maxPreKeys {
		return nil, badRequest("left must be a number of prekeys")
	}
	found, err := s.accountNamed(r, request.Account)
	if err != nil {
		return nil, err
	}
	for _, device := range found.devices {
		if err = s.askForPreKeys(found.as(true, device), request.Left); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
