package nbd

// Magic numbers ("Fixed newstyle negotiation", "Option haggling", "Transmission").
const (
	magicServer     = 0x4e42444d41474943 // NBDMAGIC
	magicOption     = 0x49484156454f5054 // IHAVEOPT
	magicOptReply   = 0x0003e889045565a9
	magicRequest    = 0x25609513 // NBD_REQUEST_MAGIC
	magicSimple     = 0x67446698 // NBD_SIMPLE_REPLY_MAGIC
	magicStructured = 0x668e33ef // NBD_STRUCTURED_REPLY_MAGIC
)

// Handshake flags and client flags ("Flag fields"): the same bits on both sides.
const (
	flagFixedNewstyle = 1 << 0
	flagNoZeroes      = 1 << 1
)

// Transmission flags ("Flag fields").
const (
	transmitHasFlags  = 1 << 0
	transmitReadOnly  = 1 << 1
	transmitFlush     = 1 << 2
	transmitMultiConn = 1 << 8 // NBD_FLAG_CAN_MULTI_CONN: nothing is written, so all connections see the same
)

// option is what a client asks for before the transmission ("Option types").
type option uint32

const (
	optExportName      option = 1
	optAbort           option = 2
	optList            option = 3
	optInfo            option = 6
	optGo              option = 7
	optStructuredReply option = 8
	optListMetaContext option = 9
	optSetMetaContext  option = 10
)

// Types of replies to an option ("Option reply types").
const (
	repAck         = 1
	repServer      = 2
	repInfo        = 3
	repMetaContext = 4
	repErrUnsup    = 1<<31 + 1
	repErrInvalid  = 1<<31 + 3
	repErrUnknown  = 1<<31 + 6
	repErrTooBig   = 1<<31 + 9
)

// Information requests ("Option types", NBD_OPT_INFO and NBD_OPT_GO).
const (
	infoExport    = 0
	infoBlockSize = 3
)

// command is the type of a request ("Request types").
type command uint16

const (
	cmdRead        command = 0
	cmdWrite       command = 1
	cmdDisconnect  command = 2
	cmdFlush       command = 3
	cmdTrim        command = 4
	cmdWriteZeroes command = 6
	cmdBlockStatus command = 7
	cmdResize      command = 8
)

// cmdFlagReqOne is NBD_CMD_FLAG_REQ_ONE ("Command flags"): the client wants one extent, not longer than it asked for.
const cmdFlagReqOne = 1 << 3

// chunkDone is NBD_REPLY_FLAG_DONE ("Structured reply flags").
const chunkDone = 1 << 0

// Types of chunks ("Structured reply types").
const (
	chunkNone        = 0
	chunkOffsetData  = 1
	chunkOffsetHole  = 2
	chunkBlockStatus = 5
	chunkError       = 1<<15 + 1
)

// errno is an error value of a reply ("Error values").
type errno uint32

const (
	errNone  errno = 0
	errPerm  errno = 1  // NBD_EPERM: this export is read-only
	errIO    errno = 5  // NBD_EIO
	errInval errno = 22 // NBD_EINVAL
)

// contextAllocation is the metadata context that is served, and contextNamespace the prefix that asks for all of its namespace
// ("The base: metadata namespace").
const (
	contextAllocation = "base:allocation"
	contextNamespace  = "base:"
	contextID         = 1 // the server chooses it
)

// Flags of an extent in the context base:allocation.
const (
	stateHole = 1 << 0
	stateZero = 1 << 1
)
