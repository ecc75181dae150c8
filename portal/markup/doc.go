// Package markup translates formatted text between Matrix, which uses HTML, and WhatsApp, which uses markers in the
// text itself. Pure functions, linear in their input.
//
//	markup.FromHTML("<b>Hi</b> Bob", markup.Plain)   // "*Hi* Bob"
//	markup.ToHTML("*Hi* Bob")                        // "<strong>Hi</strong> Bob", true
//
// # What WhatsApp formats
//
// WhatsApp's help page names the markers: *bold*, _italic_, ~strikethrough~, `inline code`, ```monospace```, and at the
// start of a line "- " or "* " for a bullet, "1. " for a number and "> " for a quote. It does not say where a marker
// counts as one. What its clients do, as far as it can be seen from outside, and what this package holds to:
//
//   - An opening marker is not preceded by a letter or digit and not followed by white space: snake_case and 2*3 and
//     "* " stay as they are.
//   - A closing marker is not preceded by white space and not followed by a letter or digit.
//   - Opening and closing marker are on one line, except for ```, and markers nest.
//   - Nothing is formatted inside code or inside a link.
//   - There is no escape character.
//
// # Literal markers
//
// A text that looks like formatting and is none, such as *this* written without formatting in Matrix, must not turn
// bold. As there is no escape, a hair space (U+200A) is put behind an opening marker or before a closing one: white space
// there makes it a plain character for every client, and it is the narrowest that counts as white space everywhere. A
// zero width space, a zero width joiner and a word joiner were turned down: they do not count as white space to most
// clients, so the text would turn bold all the same. The hair space is inserted only where the text would be formatted
// otherwise, and never into a link or into code.
//
// Markers at the start of a line (bullets, numbers, quotes) are left alone: they look the same either way.
//
// Formatting that WhatsApp cannot show is dropped and its text kept: underline, colours, and formatting of a part of a
// word.
package markup
