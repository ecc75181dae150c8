package interop_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"postern/interop"
)

// fileMessages makes an empty message of each kind that has a file.
var fileMessages = map[string]struct {
	kind interop.MediaKind
	make func() *waE2E.Message
}{
	"image":    {interop.MediaImage, func() *waE2E.Message { return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}} }},
	"sticker":  {interop.MediaImage, func() *waE2E.Message { return &waE2E.Message{StickerMessage: &waE2E.StickerMessage{}} }},
	"video":    {interop.MediaVideo, func() *waE2E.Message { return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{}} }},
	"note":     {interop.MediaVideo, func() *waE2E.Message { return &waE2E.Message{PtvMessage: &waE2E.VideoMessage{}} }},
	"audio":    {interop.MediaAudio, func() *waE2E.Message { return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{}} }},
	"document": {interop.MediaDocument, func() *waE2E.Message { return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{}} }},
	"captioned document": {interop.MediaDocument, func() *waE2E.Message {
		return &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{
			Message: &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{}},
		}}
	}},
}

func someMedia(kind interop.MediaKind) *interop.Media {
	return &interop.Media{
		Kind: kind, DirectPath: "/v/t62.7118-24/123_n.enc?ccb=11-4&oh=01_Q5&oe=68&_nc_sid=5e03e0",
		Key: [32]byte{1, 31: 2}, SHA256: [32]byte{3}, EncSHA256: [32]byte{4}, Length: 5, Created: time.Unix(1_760_000_000, 0),
	}
}

func TestMediaSurvivesTheMessage(t *testing.T) {
	for name, test := range fileMessages {
		for _, want := range []*interop.Media{someMedia(test.kind), {Kind: test.kind, DirectPath: "/"}} {
			message := test.make()
			if !want.SetIn(message) {
				t.Fatalf("%s: no place", name)
			}
			data, err := proto.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			var again waE2E.Message
			if err = proto.Unmarshal(data, &again); err != nil {
				t.Fatal(err)
			}
			got, err := interop.MediaIn(&again)
			if err != nil || *got != *want {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		}
	}
}

func TestMessagesWithoutFile(t *testing.T) {
	for _, message := range []*waE2E.Message{nil, {}, text("x"), {LocationMessage: &waE2E.LocationMessage{}}, {DocumentWithCaptionMessage: &waE2E.FutureProofMessage{}}} {
		if media, err := interop.MediaIn(message); media != nil || err != nil {
			t.Errorf("%v: got %v, %v", message, media, err)
		}
		if someMedia(interop.MediaImage).SetIn(message) {
			t.Errorf("%v has a place for a file", message)
		}
	}
}

func TestMalformedMediaIsRefused(t *testing.T) {
	for name, change := range map[string]func(image *waE2E.ImageMessage){
		"no key":              func(image *waE2E.ImageMessage) { image.MediaKey = nil },
		"short key":           func(image *waE2E.ImageMessage) { image.MediaKey = image.MediaKey[:31] },
		"long hash":           func(image *waE2E.ImageMessage) { image.FileSHA256 = append(image.FileSHA256, 0) },
		"no hash":             func(image *waE2E.ImageMessage) { image.FileSHA256 = nil },
		"no encrypted hash":   func(image *waE2E.ImageMessage) { image.FileEncSHA256 = []byte{} },
		"no length":           func(image *waE2E.ImageMessage) { image.FileLength = nil },
		"negative length":     func(image *waE2E.ImageMessage) { image.FileLength = proto.Uint64(math.MaxUint64) },
		"length over 63 bits": func(image *waE2E.ImageMessage) { image.FileLength = proto.Uint64(1 << 63) },
		"length at the edge":  func(image *waE2E.ImageMessage) { image.FileLength = proto.Uint64(math.MaxInt64) },
		"no path":             func(image *waE2E.ImageMessage) { image.DirectPath = nil },
		"address alone": func(image *waE2E.ImageMessage) {
			image.DirectPath, image.URL = nil, proto.String("https://mmg.whatsapp.net/v/x")
		},
	} {
		message := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}
		someMedia(interop.MediaImage).SetIn(message)
		change(message.ImageMessage)
		if media, err := interop.MediaIn(message); media != nil || !errors.Is(err, interop.ErrMediaInvalid) {
			t.Errorf("%s: got %v, %v", name, media, err)
		}
	}
}

func TestDirectPaths(t *testing.T) {
	for path, want := range map[string]bool{
		"/v/t62.7118-24/123_n.enc?ccb=11-4&oh=01_Q5&_nc_sid=5e": true,
		"/interop/whatsapp/download/7/abc/":                     true,
		"/a..b/.c/d...?x=../y":                                  true,
		"/%20x":                                                 true,
		"/" + strings.Repeat("x", 1023):                         true,
		"/" + strings.Repeat("x", 1024):                         false,
		"":                                                      false,
		"v/x":                                                   false,
		"https://evil.example/x":                                false,
		"//evil.example/x":                                      false,
		"/\\evil.example/x":                                     false,
		"/%5cevil.example/x":                                    false,
		"@evil.example/x":                                       false,
		"/x#y":                                                  false,
		"/x y":                                                  false,
		"/x\ny":                                                 false,
		"/x\x00":                                                false,
		"/xü":                                                   false,
		"/../x":                                                 false,
		"/x/..":                                                 false,
		"/x/./y":                                                false,
		"/x/%2e%2e/y":                                           false,
		"/x/%2E./y":                                             false,
		"/x%2f..%2fy":                                           false,
		"/x%":                                                   false,
		"/x%zz":                                                 false,
	} {
		message := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}
		media := someMedia(interop.MediaImage)
		media.DirectPath = path
		media.SetIn(message)
		got, err := interop.MediaIn(message)
		if want && (err != nil || got.DirectPath != path) || !want && !errors.Is(err, interop.ErrMediaInvalid) {
			t.Errorf("%q: got %v", path, err)
		}
		if err != nil && len(path) > 1 && strings.Contains(err.Error(), path) {
			t.Errorf("%q is quoted: %v", path, err)
		}
	}
}

func FuzzMediaIn(f *testing.F) {
	for _, test := range fileMessages {
		for _, message := range []*waE2E.Message{test.make(), test.make()} {
			seed, err := proto.Marshal(message)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(seed, "/v/x?y")
			someMedia(test.kind).SetIn(message)
			if seed, err = proto.Marshal(message); err != nil {
				f.Fatal(err)
			}
			f.Add(seed, "/x/%2e%2e/y")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		var message, again waE2E.Message
		if proto.Unmarshal(data, &message) != nil {
			return
		}
		if media, err := interop.MediaIn(&message); err == nil && media != nil { // any path that a fuzzer finds is reached this way
			media.DirectPath = path
			media.SetIn(&message)
		}
		media, err := interop.MediaIn(&message)
		if err != nil {
			if media != nil || !errors.Is(err, interop.ErrMediaInvalid) {
				t.Fatalf("got %v, %v", media, err)
			}
			return
		} else if media == nil {
			return
		}
		if media.Length < 0 || interop.EncryptedLength(media.Length) <= media.Length || media.DirectPath[0] != '/' || len(media.DirectPath) > 1024 {
			t.Errorf("got %+v", media)
		}
		location, err := interop.MediaLocation("https://media.example/base", media)
		if err != nil || !strings.HasPrefix(location, "https://media.example/base/") || bytes.ContainsAny([]byte(location), "\r\n\x00") {
			t.Errorf("%q leads to %q, %v", media.DirectPath, location, err)
		}
		if !media.SetIn(&message) {
			t.Fatal("there is no place for what was there")
		}
		data, err = proto.Marshal(&message)
		if err == nil {
			err = proto.Unmarshal(data, &again)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := interop.MediaIn(&again); err != nil || *got != *media {
			t.Errorf("%+v came back as %+v, %v", media, got, err)
		}
	})
}
