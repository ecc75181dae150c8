package portal_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

// update writes what comes out into the golden files. Read the difference before you commit it.
var update = flag.Bool("update", false, "write the golden files")

// A golden file in testdata/tomatrix holds a contact's message as JSON, and what becomes of it. All its files are stored.
type toMatrixPair struct {
	Message json.RawMessage     `json:"message"`
	ReplyTo networkid.MessageID `json:"reply_to,omitempty"`
	Files   int                 `json:"files"`
	Parts   []goldenPart        `json:"parts"`
}

type goldenPart struct {
	ID       networkid.PartID        `json:"id,omitempty"`
	Type     string                  `json:"type"`
	Content  json.RawMessage         `json:"content"`
	Metadata *portal.MessageMetadata `json:"metadata,omitempty"`
}

// One in testdata/tointerop holds what our user sends, and what becomes of it before the file is there.
type toInteropPair struct {
	Type       string             `json:"type"`
	Content    json.RawMessage    `json:"content"`
	ReplyTo    json.RawMessage    `json:"reply_to,omitempty"` // the content that is answered
	Timer      int                `json:"timer,omitempty"`    // seconds
	Message    json.RawMessage    `json:"message"`
	Attachment *portal.Attachment `json:"attachment,omitempty"`
}

// goldenFiles runs a test for each file of a folder. convert fills in what comes out.
func goldenFiles[pair any](t *testing.T, folder string, convert func(*testing.T, *pair)) {
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.json"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d golden files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var golden pair
			if err = json.Unmarshal(data, &golden); err != nil {
				t.Fatal(err)
			}
			convert(t, &golden)
			got := indent(t, golden)
			if *update {
				if err = os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !sameJSON(t, got, data) {
				t.Errorf("%s: got\n%s", path, got)
			}
		})
	}
}

func TestGoldenToMatrix(t *testing.T) {
	goldenFiles(t, "tomatrix", func(t *testing.T, golden *toMatrixPair) {
		message := &waE2E.Message{}
		if err := protojson.Unmarshal(golden.Message, message); err != nil {
			t.Fatal(err)
		}
		files, err := portal.Files(message)
		if err != nil {
			t.Fatal(err)
		}
		context := &portal.Context{ReplyTo: golden.ReplyTo}
		for _, file := range files {
			context.Files = append(context.Files, onServer(file.MimeType))
		}
		golden.Files, golden.Parts = len(files), nil
		for _, part := range convertMessage(t, message, context).Parts {
			content, err := json.Marshal(&event.Content{Parsed: part.Content, Raw: part.Extra})
			if err != nil {
				t.Fatal(err)
			}
			golden.Parts = append(golden.Parts, goldenPart{part.ID, part.Type.Type, content, part.DBMetadata.(*portal.MessageMetadata)})
		}
	})
}

func TestGoldenToInterop(t *testing.T) {
	goldenFiles(t, "tointerop", func(t *testing.T, golden *toInteropPair) {
		message := &bridgev2.MatrixMessage{}
		message.Event = &event.Event{Type: event.Type{Type: golden.Type, Class: event.MessageEventType}, Content: event.Content{VeryRaw: golden.Content}}
		if err := message.Event.Content.ParseRaw(message.Event.Type); err != nil {
			t.Fatal(err)
		}
		message.Content = message.Event.Content.AsMessage()
		if golden.Type == event.EventSticker.Type {
			message.Content.MsgType = event.CapMsgSticker // as bridgev2 does
		}
		context := &portal.OutgoingContext{Timer: time.Duration(golden.Timer) * time.Second, Self: jid("1-10853634039893@interop")}
		if golden.ReplyTo != nil {
			answered := &event.MessageEventContent{}
			if err := json.Unmarshal(golden.ReplyTo, answered); err != nil {
				t.Fatal(err)
			}
			context.Quote = &portal.Quote{ID: "3EB0C431", Participant: chat, Message: portal.QuoteOf(answered, event.EventMessage)}
		}
		out, err := portal.ToInterop(message, context)
		if err != nil {
			t.Fatal(err)
		}
		if golden.Message, err = protojson.Marshal(out.Message); err != nil {
			t.Fatal(err)
		}
		golden.Attachment = out.Attachment
		if again, err := portal.Files(out.Message); out.Attachment != nil && !out.Attachment.VCard && err == nil {
			t.Errorf("the message has its file already: %v", again)
		}
		if proto.Size(out.Message) == 0 {
			t.Error("the message is empty")
		}
	})
}

// indent makes JSON that is the same each time: protojson changes its white space on purpose.
func indent(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err = json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	var result strings.Builder
	encoder := json.NewEncoder(&result)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err = encoder.Encode(plain); err != nil {
		t.Fatal(err)
	}
	return []byte(result.String())
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var first, second any
	if err := json.Unmarshal(a, &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &second); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(first, second)
}
