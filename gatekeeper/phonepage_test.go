package gatekeeper_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	app "postern/gatekeeper/phone"
)

// startWithPage starts a gatekeeper with a phone page.
func startWithPage(t *testing.T) *sandbox {
	t.Helper()
	s := start(t)
	s.stop()
	s.config.Phone = "127.0.0.1:0"
	s.launch()
	return s
}

// browse makes a request to the phone page and returns the answer with its body; redirections are followed.
func (s *sandbox) browse(method, path, kind string, body io.Reader, headers ...string) (*http.Response, string) {
	s.tb.Helper()
	request, err := http.NewRequestWithContext(s.tb.Context(), method, s.PhoneURL()+path, body)
	if err != nil {
		s.tb.Fatal(err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	return response, string(content)
}

// fill sends a form, given as names and values by turns, and returns where it leads to and the page there.
func (s *sandbox) fill(path string, pairs ...string) (next, page string) {
	s.tb.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	response, page := s.browse("POST", path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if response.StatusCode >= http.StatusBadRequest {
		s.tb.Fatalf("%s: %s: %s", path, response.Status, page)
	}
	return response.Request.URL.Path, page
}

// sendFile sends a message with a file and returns the status and the page.
func (s *sandbox) sendFile(path, name string, content []byte) (int, string) {
	s.tb.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	response, page := s.browse("POST", path, form.FormDataContentType(), &body)
	return response.StatusCode, page
}

// waitPage asks for a page until it contains the words, whenever its events say that something changed.
func (s *sandbox) waitPage(number, path, words string) string {
	s.tb.Helper()
	response, err := http.Get(s.PhoneURL() + "/phones/" + number + "/events")
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	defer time.AfterFunc(patience, func() { response.Body.Close() }).Stop()
	page := ""
	for buffer := make([]byte, 64); err == nil; _, err = response.Body.Read(buffer) {
		if _, page = s.browse("GET", path, "", nil); strings.Contains(page, words) {
			return page
		}
	}
	s.tb.Fatalf("%s never showed %q: %s", path, words, page)
	return ""
}

var fileLink = regexp.MustCompile(`/phones/\d+/chats/\d+/messages/\d+/file`)

func TestPhonesOfThePageWriteToEachOther(t *testing.T) {
	s := startWithPage(t)
	bobs, _ := s.fill("/phones", "number", "+49 151 12345678", "name", "Bob <b>")
	carols, _ := s.fill("/phones", "number", carolPhone, "name", "Carol")
	if bobs != "/phones/4915112345678" {
		t.Errorf("the phone is at %s", bobs)
	}
	chat, _ := s.fill(bobs+"/chats", "who", carolPhone)
	s.fill(chat+"/messages", "text", "hello <script>alert(1)</script> *Carol*")
	page := s.waitPage("4915187654321", carols, "hello &lt;script&gt;")
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "Bob <b>") || !strings.Contains(page, "Bob &lt;b&gt;") {
		t.Errorf("not escaped: %s", page)
	}
	back := regexp.MustCompile(carols + `/chats/\d+`).FindString(page)
	s.fill(back + "/read")
	s.waitPage("4915112345678", chat, "tick-read")

	png := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 5000)...)
	for name, content := range map[string][]byte{"p.png": png, "evil.html": []byte("<html><script>alert(1)</script></html>")} {
		if status, page := s.sendFile(chat+"/messages", name, content); status != http.StatusOK {
			t.Fatalf("%s: %d: %s", name, status, page)
		}
		s.fill(chat+"/messages", "text", "that was "+name) // comes after it
		page := s.waitPage("4915187654321", back, "that was "+name)
		links := fileLink.FindAllString(page, -1)
		response, got := s.browse("GET", links[len(links)-1], "", nil)
		if got != string(content) {
			t.Errorf("%s: %d bytes", name, len(got))
		}
		kind, disposition := response.Header.Get("Content-Type"), response.Header.Get("Content-Disposition")
		if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "sandbox") {
			t.Errorf("%s: the policy is %q", name, policy)
		}
		if name == "p.png" && kind != "image/png" || name != "p.png" && (kind != "application/octet-stream" || !strings.HasPrefix(disposition, "attachment")) {
			t.Errorf("%s: %s, %s", name, kind, disposition)
		}
		s.fill(back+"/messages", "text", "got "+name)
		s.waitPage("4915112345678", chat, "got "+name)
	}
	if status, page := s.sendFile(chat+"/messages", "large", make([]byte, app.MaxUpload+1)); status == http.StatusOK || !strings.Contains(page, "too large") {
		t.Errorf("a large file: %d: %.200s", status, page)
	}
}

// TestAPhoneSurvivesARestart with its keys and contacts, and without its messages.
func TestAPhoneSurvivesARestart(t *testing.T) {
	s := startWithPage(t)
	bobs, _ := s.fill("/phones", "number", bobPhone, "name", "Bob")
	s.fill("/phones", "number", carolPhone, "name", "Carol")
	chat, _ := s.fill(bobs+"/chats", "who", carolPhone)
	s.fill(chat+"/messages", "text", "before")
	s.fill(bobs+"/settings", "third-party", "on", "inbox", "one")
	s.stop()
	s.launch()
	page := s.waitPage("4915112345678", chat, "Carol")
	if strings.Contains(page, "before") {
		t.Error("a message is still there")
	}
	s.waitPage("4915112345678", bobs, ">&#43;4915112345678</span>") // connected again
	if _, page = s.fill(chat+"/messages", "text", "after"); strings.Contains(page, "Not sent") {
		t.Error("the phone cannot send")
	}
	s.waitPage("4915187654321", "/phones/4915187654321", "after")
	if _, page = s.browse("GET", bobs+"/settings", "", nil); !strings.Contains(page, `value="one" checked`) || strings.Contains(page, `name="partner-7" checked`) {
		t.Errorf("the settings are gone: %s", page)
	}
}

// TestOtherSitesReachNeitherPageNorControl: both are without a login, and only for this machine.
func TestOtherSitesReachNeitherPageNorControl(t *testing.T) {
	s := startWithPage(t)
	s.fill("/phones", "number", bobPhone, "name", "Bob")
	for name, headers := range map[string][]string{
		"another site's form":   {"Sec-Fetch-Site", "cross-site"},
		"an old browser's form": {"Origin", "https://evil.example"},
		"a page without origin": {"Origin", "null"},
		"a name of theirs":      {"Host", "evil.example"},
	} {
		response, _ := s.browse("POST", "/phones/4915112345678/settings", "application/x-www-form-urlencoded", strings.NewReader("inbox=one"), headers...)
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, response.Status)
		}
		request, err := http.NewRequestWithContext(t.Context(), "POST", s.ControlURL()+"/faults/drop", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(headers[0], headers[1])
		if headers[0] == "Host" {
			request.Host = headers[1]
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("control, %s: %s", name, answer.Status)
		}
	}
	response, _ := s.browse("GET", "/phones/4915112345678", "", nil, "Host", "evil.example:80")
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("reading under another name: %s", response.Status)
	}
	response, _ = s.browse("GET", "/", "", nil, "Host", "localhost:1234")
	policy := response.Header.Get("Content-Security-Policy")
	if response.StatusCode != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s with the policy %q", response.Status, policy)
	}
}

func TestThePhonePageRefusesWhatItDoesNotKnow(t *testing.T) {
	s := startWithPage(t)
	bobs, _ := s.fill("/phones", "number", bobPhone, "name", "Bob")
	form := "application/x-www-form-urlencoded"
	for _, test := range []struct {
		method, path, body string
		status             int
		words              string
	}{
		{"POST", "/phones", "number=0151&name=x", 422, "no phone number"},
		{"GET", "/phones/1", "", 404, "no such phone"},
		{"GET", "/phones/1/events", "", 204, ""},
		{"POST", "/phones/1/settings", "", 404, ""},
		{"GET", bobs + "/chats/1", "", 404, "not there any more"},
		{"POST", bobs + "/chats/1/messages", "text=x", 404, "not there any more"},
		{"POST", bobs + "/chats/1/messages/2/react", "emoji=x", 404, "not there any more"},
		{"POST", bobs + "/chats/1/block", "", 404, "not there any more"},
		{"GET", bobs + "/chats/1/messages/2/file", "", 404, ""},
		{"POST", bobs + "/chats", "who=nobody", 422, "Nobody has this number"},
		{"POST", bobs + "/chats", "who=" + url.QueryEscape(bobPhone), 422, "own number"},
		{"POST", bobs + "/settings", strings.Repeat("x", 70_000), 413, "too large"},
		{"PUT", bobs, "", 405, ""},
	} {
		response, page := s.browse(test.method, test.path, form, strings.NewReader(test.body))
		if response.StatusCode != test.status || !strings.Contains(page, test.words) {
			t.Errorf("%s %s %.40s: %s: %.300s", test.method, test.path, test.body, response.Status, page)
		}
	}
}

func TestAPartnerThatAWhatsAppUserDidNotChooseCannotWrite(t *testing.T) {
	s := startWithPage(t)
	bobs, _ := s.fill("/phones", "number", bobPhone, "name", "Bob")
	keys := newIdentity("@alice:example.org")
	alice := s.login(keys, s.enlisted(keys))
	alice.upload(keys, 10)
	alice.activate()
	bob := types.NewJID(strings.TrimPrefix(bobPhone, "+"), types.DefaultUserServer)
	for i, choice := range []struct {
		settings []string
		refused  bool
	}{
		{[]string{"third-party", "on", fmt.Sprint("partner-", integrator), "on"}, false},
		{[]string{"third-party", "on"}, true},
		{[]string{fmt.Sprint("partner-", integrator), "on"}, true},
	} {
		s.fill(bobs+"/settings", choice.settings...)
		alice.write(letterTo(fmt.Sprint("M", i), bob, bob))
		if ack := alice.await("ack"); (ack.Attrs["error"] != nil) != choice.refused {
			t.Errorf("with %v: %v", choice.settings, ack.Attrs)
		}
	}
}

// TestAPingIsShownOnThePhone, and answered when the user turns third-party chats on for that partner.
func TestAPingIsShownOnThePhone(t *testing.T) {
	s := startWithPage(t)
	bobs, _ := s.fill("/phones", "number", bobPhone, "name", "Bob")
	s.fill(bobs+"/settings", "inbox", "folder")
	keys := newIdentity("@alice:example.org")
	alice := s.login(keys, s.enlisted(keys))
	alice.upload(keys, 10)
	alice.activate()
	if code, _ := alice.ping(strings.TrimPrefix(bobPhone, "+")); code != "" {
		t.Fatalf("the ping was refused with %v", code)
	}
	s.waitPage("4915112345678", bobs, "@alice:example.org</bdi> would like to write to you")
	s.fill(bobs+"/settings", "third-party", "on") // without the partner
	s.waitPage("4915112345678", bobs, "would like to write to you")
	_, page := s.fill(bobs+"/settings", "third-party", "on", fmt.Sprint("partner-", integrator), "on")
	if strings.Contains(page, "would like to write to you") {
		t.Error("the ping is still shown")
	}
	if notification := alice.await("notification"); !has(*notification, "reachable") {
		t.Errorf("Alice hears %v", notification)
	}
}
