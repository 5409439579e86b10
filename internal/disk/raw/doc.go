// Package raw reads and writes images that are the content itself, byte for byte, with the file system's holes as map.
package raw
