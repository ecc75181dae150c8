package wire

import (
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Limits of a stanza, in both directions. They are Postern's own; see docs/protocol.md.
const (
	MaxStanza   = 1 << 20 // bytes after inflating, without the flag byte
	MaxDepth    = 32      // levels of nodes, the outermost being 1
	MaxChildren = 1024    // of one node
	MaxAttrs    = 64      // of one node
	MaxNodes    = 16384   // in a stanza
)

const (
	flagPlain   = 0
	flagDeflate = 2
	// maxADDevice is the highest device that the one-byte form of a JID can hold.
	maxADDevice = 255
)

// EncodeStanza returns the flag byte and the coded node. It never panics: a node that cannot be coded, that the other
// end would refuse, or that coding would change in silence is an [ErrEncode] or [ErrTooLarge].
//
// Attributes may be strings, integers, booleans and JIDs; empty strings and nil are left out. Content may be nil, bytes,
// a string, an integer, a JID or []waBinary.Node.
func EncodeStanza(node waBinary.Node) (data []byte, err error) {
	nodes := 0
	if err = checkNode(&node, 1, &nodes); err != nil {
		return nil, err
	}
	defer func() {
		if problem := recover(); problem != nil {
			// The panic's value may quote content, so only its type is told.
			data, err = nil, fmt.Errorf("%w: encoder failed on %q with %T", ErrEncode, node.Tag, problem)
		}
	}()
	data, err = waBinary.Marshal(node)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncode, err)
	} else if len(data)-1 > MaxStanza {
		return nil, fmt.Errorf("%w: stanza %q of %d bytes, limit %d", ErrTooLarge, node.Tag, len(data)-1, MaxStanza)
	}
	return data, nil
}

// checkNode holds a node to the limits and refuses what whatsmeow's encoder would code wrongly without an error.
func checkNode(node *waBinary.Node, depth int, nodes *int) error {
	*nodes++
	switch {
	case node.Tag == "" || node.Tag == "0": // the encoder's mark for an empty list
		return fmt.Errorf("%w: tag %q", ErrEncode, node.Tag)
	case depth > MaxDepth:
		return fmt.Errorf("%w: more than %d levels", ErrTooLarge, MaxDepth)
	case *nodes > MaxNodes:
		return fmt.Errorf("%w: more than %d nodes", ErrTooLarge, MaxNodes)
	case len(node.Attrs) > MaxAttrs:
		return fmt.Errorf("%w: %d attributes in %q", ErrTooLarge, len(node.Attrs), node.Tag)
	}
	for key, value := range node.Attrs {
		if key == "" {
			return fmt.Errorf("%w: attribute without a name in %q", ErrEncode, node.Tag)
		}
		switch typed := value.(type) {
		case types.JID:
			if err := checkJID(typed); err != nil {
				return fmt.Errorf("%w: attribute %q of %q: %w", ErrEncode, key, node.Tag, err)
			}
		case []waBinary.Node, []byte:
			return fmt.Errorf("%w: attribute %q of %q is a %T", ErrEncode, key, node.Tag, typed)
		}
	}
	switch content := node.Content.(type) {
	case types.JID:
		if err := checkJID(content); err != nil {
			return fmt.Errorf("%w: content of %q: %w", ErrEncode, node.Tag, err)
		}
	case []waBinary.Node:
		if len(content) > MaxChildren {
			return fmt.Errorf("%w: %d children in %q", ErrTooLarge, len(content), node.Tag)
		}
		for i := range content {
			if err := checkNode(&content[i], depth+1, nodes); err != nil {
				return err
			}
		}
	}
	return nil
}

// Text returns a node's content as text, "" if it has none. Text arrives as a string if the sender's encoder found it in
// its dictionary or could pack it as digits, and as bytes otherwise; code that looks at content must take both.
func Text(node *waBinary.Node) string {
	switch content := node.Content.(type) {
	case string:
		return content
	case []byte:
		return string(content)
	default:
		return ""
	}
}

// Bytes returns a node's content as bytes, nil if it has none. See [Text].
func Bytes(node *waBinary.Node) []byte {
	switch content := node.Content.(type) {
	case string:
		return []byte(content)
	case []byte:
		return content
	default:
		return nil
	}
}
