package gatekeeper

import (
	"bytes"
	"net/http"
	"strconv"
)

// httpRoute is a route whose answers can be told to go wrong. Files have faults of their own.
type httpRoute string

const (
	routeEnlist httpRoute = "enlist"
	routeKeys   httpRoute = "keys"
)

// httpFault is what goes wrong with an answer. The empty one is nothing.
type httpFault string

const (
	httpError   httpFault = "error"   // 503, and nothing is done
	httpSlow    httpFault = "slow"    // nothing comes until another fault is set for the route
	httpCut     httpFault = "cut"     // what is asked for is done, and the connection ends in the middle of the answer
	httpRubbish httpFault = "rubbish" // 200 with something else, and nothing is done
)

var (
	httpRoutes = map[httpRoute]bool{routeEnlist: true, routeKeys: true}
	httpFaults = map[httpFault]bool{"": true, httpError: true, httpSlow: true, httpCut: true, httpRubbish: true}
)

// rubbish is what a captive portal answers.
const rubbish = "<!DOCTYPE html><title>Welcome</title><p>Please log in to use this network."

// setHTTP makes a route's next answers go wrong. Those that are held because of the fault before are given now.
func (f *faults) setHTTP(route httpRoute, fault httpFault, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if before, ok := f.http[route]; ok {
		close(before.lifted)
	} else if f.http == nil {
		f.http = make(map[httpRoute]*routeFault)
	}
	f.http[route] = &routeFault{fault: fault, left: times, lifted: make(chan struct{})}
}

// routeFault is what goes wrong with the next answers of a route. lifted is closed when it is replaced.
type routeFault struct {
	fault  httpFault
	left   int
	lifted chan struct{}
}

// nextHTTP returns what is to go wrong with an answer, and counts it.
func (f *faults) nextHTTP(route httpRoute) (fault httpFault, lifted <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set := f.http[route]
	if set == nil || set.left == 0 {
		return "", nil
	}
	set.left--
	return set.fault, set.lifted
}

// spoilable lets the control API spoil the answers of a route.
func (s *Server) spoilable(route httpRoute, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, lifted := s.faults.nextHTTP(route)
		switch fault {
		case httpError:
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		case httpRubbish:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(rubbish))
			return
		case httpCut:
			cutAnswer(w, r, next)
		case httpSlow:
			select {
			case <-lifted:
			case <-r.Context().Done():
				return
			case <-s.quit:
				panic(http.ErrAbortHandler)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// cutAnswer sends the first half of what the handler answers, and cuts the connection. It does not return.
func cutAnswer(w http.ResponseWriter, r *http.Request, next http.Handler) {
	whole := &heldAnswer{ResponseWriter: w}
	next.ServeHTTP(whole, r)
	w.Header().Set("Content-Length", strconv.Itoa(whole.body.Len()))
	_, _ = w.Write(whole.body.Bytes()[:whole.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// heldAnswer keeps a body back.
type heldAnswer struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// controlHTTPFault makes the next answers of a route go wrong.
func (s *Server) controlHTTPFault(r *http.Request) (any, error) {
	request := struct {
		Route httpRoute `json:"route"`
		Mode  httpFault `json:"mode"`
		Times int       `json:"times"`
	}{Times: 1}
	if err := readControl(r, &request); err != nil {
		return nil, err
	} else if !httpRoutes[request.Route] || !httpFaults[request.Mode] || request.Times < 0 || request.Times > maxFaultCount {
		return nil, badRequest("route and mode must be known ones, times from 0 on")
	}
	s.faults.setHTTP(request.Route, request.Mode, request.Times)
	return nil, nil
}
