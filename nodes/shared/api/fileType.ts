/**
 * The type of a file by its first bytes. A header or a name may be wrong about a file; its bytes
 * are not. Sources: ISO/IEC 14496-12 (the `ftyp` box and its brands), the Matroska and WebM
 * specifications (EBML), and the signatures that each image format begins with.
 */

/** Bytes from the start of a file that are enough to recognise it. */
export const HEAD_BYTES = 256;

function ascii(head: Uint8Array, from: number, to: number): string {
	return Buffer.from(head.subarray(from, to)).toString('latin1');
}

/** Brands of ISO base media files that hold no video: HEIF and AVIF pictures, sound alone. */
const PICTURE_BRAND = /^(hei[cfmsx]|hev[cmsx]|mif[12]|msf1|avi[fos]|crx )$/;
const SOUND_BRAND = /^(M4[ABP] |F4[AB] )$/;

/** First boxes of ISO base media and older QuickTime files. */
const FIRST_BOXES = ['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide'];

/** Types that a header may name for such a file; the bytes alone do not distinguish them. */
const ISO_TYPES = ['video/mp4', 'video/quicktime', 'video/x-m4v', 'video/3gpp', 'video/3gpp2'];

function brandOf(head: Uint8Array): string | undefined {
	return ascii(head, 4, 8) === 'ftyp' && head.length >= 12 ? ascii(head, 8, 12) : undefined;
}

function isoVideoType(head: Uint8Array, hint: string): string | undefined {
	if (!FIRST_BOXES.includes(ascii(head, 4, 8))) return undefined;
	const brand = brandOf(head) ?? '';
	if (PICTURE_BRAND.test(brand) || SOUND_BRAND.test(brand)) return undefined;
	if (ISO_TYPES.includes(hint)) return hint;
	if (brand === 'qt  ') return 'video/quicktime';
	return brand.startsWith('3g') ? 'video/3gpp' : 'video/mp4';
}

/** EBML, the container of WebM and Matroska, names its kind within the first bytes. */
function ebmlVideoType(head: Uint8Array): string | undefined {
	if (ascii(head, 0, 4) !== '\x1aE\xdf\xa3') return undefined;
	const start = ascii(head, 0, HEAD_BYTES);
	if (start.includes('webm')) return 'video/webm';
	return start.includes('matroska') ? 'video/x-matroska' : undefined;
}

/**
 * The MIME type of a video by its first {@link HEAD_BYTES}; undefined for anything that is no
 * video. `contentType`, the header, is a hint: it counts where the bytes can be of that type.
 */
export function videoTypeOf(head: Uint8Array, contentType = ''): string | undefined {
	const hint = contentType.split(';')[0].trim().toLowerCase();
	return isoVideoType(head, hint) ?? ebmlVideoType(head);
}

const FILE_EXTENSIONS: Readonly<Record<string, string>> = {
	'video/webm': 'webm',
	'video/x-matroska': 'mkv',
};

/** The file name's extension for a type that {@link videoTypeOf} gives, without a dot. */
export function extensionOf(videoType: string): string {
	return FILE_EXTENSIONS[videoType] ?? 'mp4';
}

/** What each image format has at which places, as Latin-1 text. */
const IMAGES: ReadonlyArray<[type: string, ...parts: Array<[at: number, text: string]>]> = [
	['image/jpeg', [0, '\xff\xd8\xff']],
	['image/png', [0, '\x89PNG\r\n\x1a\n']],
	['image/gif', [0, 'GIF8']],
	['image/webp', [0, 'RIFF'], [8, 'WEBP']],
	// Four zeros, because the two letters alone begin many a text.
	['image/bmp', [0, 'BM'], [6, '\0\0\0\0']],
	['image/tiff', [0, 'II*\0']],
	['image/tiff', [0, 'MM\0*']],
	['image/jxl', [0, '\xff\x0a']],
	['image/jxl', [4, 'JXL ']],
	['image/jp2', [4, 'jP  ']],
];

/**
 * The MIME type of an image by its first {@link HEAD_BYTES}; undefined for anything that is no
 * picture made of pixels.
 */
export function imageTypeOf(head: Uint8Array): string | undefined {
	const brand = brandOf(head);
	if (brand && PICTURE_BRAND.test(brand))
		return brand.startsWith('av') ? 'image/avif' : 'image/heic';
	const start = ascii(head, 0, HEAD_BYTES);
	return IMAGES.find(([, ...parts]) =>
		parts.every(([at, text]) => start.startsWith(text, at)),
	)?.[0];
}

/** How texts begin that servers send in place of a file, tested in this order. */
const TEXTS: ReadonlyArray<[kind: string, beginning: RegExp]> = [
	['a web page', /^(<!--[^]*?-->\s*)?<(!doctype\s+html|html|head|body|title|script|meta)\b/i],
	['an SVG drawing', /^<([^]*<)?svg\b/i],
	['XML', /^</],
	['JSON', /^[[{]/],
];

/**
 * What a file is, in words for a person, by its first {@link HEAD_BYTES}: "a web page", "JSON", "an
 * empty file".
 */
export function kindOf(head: Uint8Array): string {
	if (!head.length) return 'an empty file';
	if (imageTypeOf(head)) return 'an image';
	if (videoTypeOf(head)) return 'a video';
	const bytes = ascii(head, 0, HEAD_BYTES);
	if (bytes.startsWith('%PDF')) return 'a PDF';
	if (bytes.startsWith('PK\x03\x04')) return 'a ZIP or Office file';
	const text = Buffer.from(head).toString(
		/^(\xff\xfe|[^\0]\0[^\0]\0)/.test(bytes) ? 'utf16le' : 'utf8',
	);
	const start = text.replace(/^\uFEFF/, '').trimStart();
	// Tabs and line ends belong to a text, other control characters do not.
	if (/[^\P{Cc}\t\n\r\f]/u.test(start)) return 'a file of another kind';
	return TEXTS.find(([, beginning]) => beginning.test(start))?.[0] ?? 'text';
}
