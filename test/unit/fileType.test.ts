/** A file is what its first bytes are, whatever a header or a name says. */
import {
	extensionOf,
	HEAD_BYTES,
	imageTypeOf,
	kindOf,
	videoTypeOf,
} from '../../nodes/shared/api/fileType';

const head = (start: string) =>
	Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(HEAD_BYTES)]);
const iso = (brand: string, box = 'ftyp') => head(`\0\0\0\x18${box}${brand}\0\0\x02\0isom`);
const webm = head(
	'\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm',
);
const matroska = head(
	'\x1aE\xdf\xa3\xa3B\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x88matroska',
);

describe('a video', () => {
	it.each([
		['an MP4', iso('isom'), '', 'video/mp4'],
		['an MP4 of another brand', iso('mp42'), '', 'video/mp4'],
		['a QuickTime film', iso('qt  '), '', 'video/quicktime'],
		['an older QuickTime film', iso('abcd', 'moov'), '', 'video/mp4'],
		['a phone film', iso('3gp4'), '', 'video/3gpp'],
		['a WebM', webm, '', 'video/webm'],
		['a Matroska', matroska, '', 'video/x-matroska'],
		['an MP4 called text', iso('isom'), 'text/html; charset=utf-8', 'video/mp4'],
		['an MP4 called unknown', iso('isom'), 'application/octet-stream', 'video/mp4'],
		['an MP4 called WebM', iso('isom'), 'video/webm', 'video/mp4'],
		['an MP4 called QuickTime', iso('isom'), 'Video/QuickTime; x=1', 'video/quicktime'],
		['a WebM called MP4', webm, 'video/mp4', 'video/webm'],
	])('is told by its first bytes: %s', (_name, bytes, contentType, type) => {
		expect(videoTypeOf(bytes, contentType)).toBe(type);
	});

	it.each([
		['a web page', head('<!DOCTYPE html><html>')],
		['JSON', head('{"error":{}}')],
		['XML', head('<?xml version="1.0"?><Error/>')],
		['a HEIC picture', iso('heic')],
		['an AVIF picture', iso('avif')],
		['sound', iso('M4A ')],
		['a JPEG', head('\xff\xd8\xff\xe0')],
		['EBML of another kind', head('\x1aE\xdf\xa3\x9fnothing')],
		['compressed bytes', head('\x1f\x8b\x08\0')],
		['nothing', Buffer.alloc(0)],
	])('is not: %s, even where the header says so', (_name, bytes) => {
		expect(videoTypeOf(bytes, 'video/mp4')).toBeUndefined();
	});

	it.each([
		['video/mp4', 'mp4'],
		['video/quicktime', 'mp4'],
		['video/webm', 'webm'],
		['video/x-matroska', 'mkv'],
	])('of type %s is stored as .%s', (type, extension) => {
		expect(extensionOf(type)).toBe(extension);
	});
});

describe('an image', () => {
	it.each([
		['image/jpeg', head('\xff\xd8\xff\xe1')],
		['image/png', head('\x89PNG\r\n\x1a\n')],
		['image/gif', head('GIF89a')],
		['image/webp', head('RIFF\x10\0\0\0WEBPVP8 ')],
		['image/bmp', head('BM\x10\x20\0\0\0\0\0\0')],
		['image/tiff', head('II*\0')],
		['image/tiff', head('MM\0*')],
		['image/heic', iso('heic')],
		['image/heic', iso('mif1')],
		['image/avif', iso('avif')],
	])('is told by its first bytes: %s', (type, bytes) => {
		expect(imageTypeOf(bytes)).toBe(type);
	});

	it.each([
		['an SVG', head('<svg xmlns="http://www.w3.org/2000/svg">')],
		['a text that begins with BM', Buffer.from('BMW drives along a road, seen from above')],
		['sound in a RIFF file', head('RIFF\x10\0\0\0WAVEfmt ')],
		['a video', iso('isom')],
		['a PDF', head('%PDF-1.7')],
		['nothing', Buffer.alloc(0)],
	])('is not: %s', (_name, bytes) => {
		expect(imageTypeOf(bytes)).toBeUndefined();
	});
});

describe('in words for a person, a file', () => {
	it.each([
		['a web page', '<!DOCTYPE html>\n<html lang="en">'],
		['a web page', '\n  <html>'],
		['a web page', '<!-- a comment --><html>'],
		['an SVG drawing', '<?xml version="1.0" encoding="UTF-8"?>\n<svg width="10">'],
		['an SVG drawing', '<svg viewBox="0 0 1 1">'],
		['XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'],
		['JSON', '  {"code": 404}'],
		['JSON', '[1]'],
		['text', 'not found'],
		['text', '\ufeffKöpfe'],
		['an empty file', ''],
		['a PDF', '%PDF-1.4'],
		['a ZIP or Office file', 'PK\x03\x04'],
		['a file of another kind', '\x01\x02\x03'],
	])('is called %s: %j', (kind, text) => {
		expect(kindOf(Buffer.from(text))).toBe(kind);
	});

	it('is called a web page also in UTF-16', () => {
		expect(kindOf(Buffer.from('\ufeff<html><head>', 'utf16le'))).toBe('a web page');
	});

	it('is called an image or a video by its bytes', () => {
		expect(kindOf(head('\xff\xd8\xff\xe1'))).toBe('an image');
		expect(kindOf(webm)).toBe('a video');
	});
});
