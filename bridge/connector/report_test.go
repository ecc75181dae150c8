package connector_test

import (
	"reflect"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"postern/bridge/connector"
)

func TestReportCommandIsReadInAllItsForms(t *testing.T) {
	for words, want := range map[string]connector.Report{
		"":                          {},
		"5":                         {Last: 5},
		"block":                     {Block: true},
		"5 Block they want money":   {Last: 5, Block: true, Reason: "they want money"},
		"they block me":             {Reason: "they block me"},
		"-1":                        {Last: -1},
		"2 or 3 times a day":        {Last: 2, Reason: "or 3 times a day"},
		"99999999999999999999 spam": {Reason: "99999999999999999999 spam"},
	} {
		if got := connector.ParseReport(strings.Fields(words)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %+v", words, got)
		}
	}
}

func file(size int) *event.MessageEventContent {
	return &event.MessageEventContent{
		MsgType: event.MsgImage, Body: "a caption", FileName: "cat.jpg", File: &event.EncryptedFileInfo{URL: "mxc://example.org/cat"},
		Info: &event.FileInfo{MimeType: "image/jpeg", Size: size, ThumbnailURL: "mxc://example.org/thumb"},
	}
}

func TestReportIsBounded(t *testing.T) {
	long := strings.Repeat("ä", 40000)
	text := connector.ReportText("Bob", "spam", &event.MessageEventContent{MsgType: event.MsgText, Body: long})
	if len(text) > 2500 || !strings.Contains(text, "… (cut)") || strings.ContainsRune(text, '\uFFFD') {
		t.Errorf("a long message makes %d bytes", len(text))
	}
	for name, test := range map[string]struct {
		content *event.MessageEventContent
		words   string
	}{
		"text":     {&event.MessageEventContent{MsgType: event.MsgText, Body: "give me\nmoney"}, "> give me\n> money"},
		"picture":  {file(1000), "(a file, see below: cat.jpg) a caption"},
		"huge":     {file(1 << 30), "(a file of 1024 MiB, too large to attach: cat.jpg)"},
		"lost":     {nil, "(cannot be read any more)"},
		"no block": {nil, "@alice:example.org reports Bob (+4915112345678 on WhatsApp)."},
		"reason":   {nil, "They say: spam"},
		"honest":   {nil, "has no interface for reports today"},
	} {
		if text := connector.ReportText("Bob", "spam", test.content); !strings.Contains(text, test.words) {
			t.Errorf("%s: the report says %q", name, text)
		}
	}
}

func TestReportedFilePointsToTheFileAlone(t *testing.T) {
	if got := connector.ReportedFile(file(1 << 30)); got != nil {
		t.Errorf("a huge file is attached: %+v", got)
	}
	got := connector.ReportedFile(file(1000))
	if got == nil || got.File == nil || got.URL != "" || got.Info.ThumbnailURL != "" || got.FileName != "cat.jpg" {
		t.Errorf("got %+v", got)
	}
	if got = connector.ReportedFile(&event.MessageEventContent{MsgType: event.MsgText, Body: "text"}); got != nil {
		t.Errorf("a text has a file: %+v", got)
	}
}
