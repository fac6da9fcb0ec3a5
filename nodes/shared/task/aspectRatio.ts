/**
 * Reads an aspect ratio as people's sheets hold it: `16:9`, `16 x 9`, `1920x1080`, `0.5625`. A
 * spreadsheet turns many of them into a time of day or a date; those are recognised, so that the
 * message can say what to do in the sheet.
 */
import { asText, isDate } from './values';

/** The two numbers of a ratio such as `16:9`. */
function sidesOf(ratio: string): [number, number] {
	const [width, height] = ratio.split(':').map(Number);
	return [width, height];
}

/**
 * A text in plain digits and letters, without the explanation that the dropdown puts in brackets.
 */
function plain(value: unknown): string {
	return (asText(value) ?? '')
		.normalize('NFKC')
		.replace(/\s*\([^)]*\)\s*$/, '')
		.trim();
}

/** Characters that look like a colon; then division signs, and the signs between two measures. */
const COLON = '[:\u2236\ua789\u02d0]';
const RATIO = new RegExp(`^(\\d+)\\s*(?:${COLON}|[-–/÷]|to)\\s*(\\d+)$`, 'i');
const MEASURES = /^(\d+)\s*(?:px)?\s*(?:[x×*✕]|by)\s*(\d+)\s*(?:px)?$/i;
const DECIMAL = /^\d+(?:[.,]\d+)?$/;

/**
 * Whether a decimal equals the quotient of a ratio, rounded to its digits; at least two, so that 2
 * is not 21:9.
 */
function isQuotient(text: string, ratio: string): boolean {
	const [width, height] = sidesOf(ratio);
	const digits = text.split('.')[1]?.length ?? 0;
	const quotient = width / height;
	if (Number(text) === quotient) return true;
	return digits >= 2 && Number(text) === Number(quotient.toFixed(Math.min(digits, 15)));
}

/** The ratio of these that a value stands for; undefined for none. */
export function ratioOf<T extends string>(value: unknown, ratios: readonly T[]): T | undefined {
	const text = plain(value);
	const sides = RATIO.exec(text);
	// Only the exact form: 16:09 may be a time, and is not guessed.
	if (sides) return ratios.find((ratio) => ratio === `${sides[1]}:${sides[2]}`);
	const measures = MEASURES.exec(text);
	if (measures) {
		return ratios.find((ratio) => {
			const [width, height] = sidesOf(ratio);
			return (
				Number(measures[1]) > 0 && Number(measures[1]) * height === Number(measures[2]) * width
			);
		});
	}
	if (!DECIMAL.test(text)) return undefined;
	return ratios.find((ratio) => isQuotient(text.replace(',', '.'), ratio));
}

const MINUTES_OF_A_DAY = 24 * 60;
/** Days since 1900 that a spreadsheet counts for the years 1982 to 2064. */
const SHEET_DAYS = { first: 30_000, last: 60_000 };

/**
 * Whether a decimal is the day fraction that a spreadsheet stores for a ratio, as hours and minutes
 * or as minutes and seconds, rounded to its digits; at least four.
 */
function isDayFractionOf(text: string, ratio: string): boolean {
	const [first, second] = sidesOf(ratio);
	const minutes = first * 60 + second;
	const digits = text.split('.')[1]?.length ?? 0;
	const near = (stored: number) =>
		digits >= 4 && Math.abs((Number(text) % 1) - stored) <= 0.5 * 10 ** -digits + 1e-9;
	return near(minutes / MINUTES_OF_A_DAY) || near(minutes / 60 / MINUTES_OF_A_DAY);
}

const TIME_FORMS: readonly RegExp[] = [
	// 9:16:00, also after a date, with or without AM or PM.
	/(?:^|[\sT])\d{1,2}[:.]\d{1,2}[:.]\d{2}(?:\D|$)/i,
	/(?:^|[\sT])\d{1,2}(?:[:.]\d{2})?\s*[ap]\.?\s?m\b/i,
	// A leading zero: 16:09, 04:3, 09.16. No zero alone before the point, as a decimal has it.
	/^(?:0\d+[:∶.,h]\d{1,2}|\d{1,2}[:∶h]0\d)(?:\s*(?:h|uhr|o'clock))?$/i,
	// A date with a time, or alone.
	/^\d{4}-\d{1,2}-\d{1,2}(?:\D|$)/,
	/^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?:\D|$)/,
	/\d[\s.-]*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b/i,
	/\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s.-]*\d/i,
	/^PT?\d/,
];

/**
 * Whether a value is a time of day or a date that a spreadsheet has made of a ratio, in any form.
 */
export function isSheetTime(value: unknown, ratios: readonly string[]): boolean {
	if (isDate(value)) return true;
	const text = plain(value);
	if (TIME_FORMS.some((form) => form.test(text))) return true;
	if (!DECIMAL.test(text)) return false;
	const number = text.replace(',', '.');
	if (!number.includes('.')) {
		return Number(number) >= SHEET_DAYS.first && Number(number) <= SHEET_DAYS.last;
	}
	return ratios.some((ratio) => isDayFractionOf(number, ratio));
}
