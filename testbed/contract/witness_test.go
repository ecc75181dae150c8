package contract_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// maxWitnessed is the largest body that is looked at, in bytes. Larger ones are for the limits of the servers.
const maxWitnessed = 1 << 20

// document is one of those in docs, and what of it was seen.
type document struct {
	spec   *openapi3.T
	router routers.Router

	mu   sync.Mutex
	seen map[string]bool // by method, path and status
}

func loadDocument(t *testing.T, content []byte) *document {
	t.Helper()
	openapi3filter.RegisterBodyDecoder("image/png", openapi3filter.FileBodyDecoder)
	spec, err := openapi3.NewLoader().LoadFromData(content)
	if err == nil {
		err = spec.Validate(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(spec)
	if err != nil {
		t.Fatal(err)
	}
	return &document{spec: spec, router: router, seen: make(map[string]bool)}
}

// operation finds what the document says of a request; nil if nothing.
func (d *document) operation(method, path string) *openapi3.Operation {
	request, err := http.NewRequest(method, "http://bridge"+path, nil)
	if err != nil {
		return nil
	}
	route, _, err := d.router.FindRoute(request)
	if err != nil {
		return nil
	}
	return route.Operation
}

// unseen lists what the document promises and no exchange has shown.
func (d *document) unseen() (missing []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, item := range d.spec.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				if name := method + " " + path + " " + status; !d.seen[name] {
					missing = append(missing, name)
				}
			}
		}
	}
	return missing
}

// witness is a proxy in front of a server.
type witness struct {
	*httptest.Server
	t        *testing.T
	document *document
	side     string // the tag of what the server may answer
	// proxy is set by stand before the first request.
	proxy *httputil.ReverseProxy

	mu            sync.Mutex
	authorization string // of the last request that had one
}

// newWitness returns a witness for a server that does not run yet, since servers have to know their addresses.
func newWitness(t *testing.T, document *document, side string) *witness {
	w := &witness{t: t, document: document, side: side}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

// stand puts the witness in front of a server.
func (w *witness) stand(server string) {
	target, err := url.Parse(server)
	if err != nil {
		w.t.Fatal(err)
	}
	w.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: w.judge,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

// requestKey is for the body of a request, in its context.
type requestKey struct{}

func (w *witness) serve(answer http.ResponseWriter, r *http.Request) {
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		w.mu.Lock()
		w.authorization = authorization
		w.mu.Unlock()
	}
	var body []byte
	if 0 <= r.ContentLength && r.ContentLength <= maxWitnessed {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	w.proxy.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), requestKey{}, &asked{r.Clone(context.Background()), body})))
}

// asked is a request as it came.
type asked struct {
	request *http.Request
	body    []byte
}

// lastToken is what the last request authorized itself with.
func (w *witness) lastToken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.authorization
}

// judge fails the test if an exchange is not as the document says.
func (w *witness) judge(response *http.Response) error {
	asked := response.Request.Context().Value(requestKey{}).(*asked)
	var body []byte
	if response.StatusCode != http.StatusSwitchingProtocols {
		var err error
		if body, err = io.ReadAll(response.Body); err != nil {
			return err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err := w.check(asked, response, body); err != nil {
		w.t.Errorf("%s: %s %s: status %d: %v", w.side, asked.request.Method, asked.request.URL.Path, response.StatusCode, err)
	}
	return nil
}

var errUndocumented = errors.New("is not in the document")

func (w *witness) check(asked *asked, response *http.Response, body []byte) error {
	route, parameters, err := w.document.router.FindRoute(asked.request)
	if err != nil || route.Operation.Tags[0] != w.side {
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed {
			return errUndocumented
		}
		return nil
	}
	if route.Operation.Responses.Status(response.StatusCode) == nil {
		return errUndocumented
	}
	w.document.mu.Lock()
	w.document.seen[fmt.Sprint(route.Method, " ", route.Path, " ", response.StatusCode)] = true
	w.document.mu.Unlock()

	options := &openapi3filter.Options{
		IncludeResponseStatus: true, MultiError: true, SkipSettingDefaults: true, AuthenticationFunc: wantBearer,
		ExcludeRequestBody: asked.request.ContentLength > maxWitnessed,
	}
	request := asked.request
	request.Body = io.NopCloser(bytes.NewReader(asked.body))
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route, Options: options}
	// What is refused may be wrong.
	if response.StatusCode < 300 && !bytes.HasPrefix(body, []byte(`{"status":"fail"`)) {
		if err = openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			return fmt.Errorf("took a request that is not as documented: %w", err)
		}
	}
	// The library does not look at answers to HEAD, whose headers are as documented too.
	input.Request = request.Clone(context.Background())
	input.Request.Method = http.MethodGet
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	})
}

var errNoBearer = errors.New("no bearer token")

func wantBearer(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	if !strings.HasPrefix(input.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer ") {
		return errNoBearer
	}
	return nil
}
