package docs_test

import (
	"slices"
	"testing"

	"postern/docs"
)

func TestCommandsAreFound(t *testing.T) {
	const document = "Text with `postern run`.\n\n```\n# a comment\npostern init --dir a \\\n    --domain b    # of the server\n\ncurl '#fragment'\n```\n" +
		"```yaml\nkey: value\n```\n- list\n\n  ```sh\n  make demo\n  ```\n\npostern outside\n"
	want := []docs.Command{{5, "postern init --dir a --domain b"}, {8, "curl '#fragment'"}, {16, "make demo"}}
	if got := docs.Commands(document); !slices.Equal(got, want) {
		t.Errorf("found %+v", got)
	}
}
