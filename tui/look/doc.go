// Package look holds how the full-screen program looks: themes, icons, and lines that are exactly as wide as the screen.
//
// Everything that reaches the terminal passes through Painter.Line, which escapes control bytes and cuts by the columns that
// characters take, so that no name and no log can drive the terminal or push a line past its edge.
package look
