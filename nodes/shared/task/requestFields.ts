/**
 * The value of each field of a video as people and their sheets write it: tidied, and checked
 * against what the model takes. Source of every rule: docs/api-contract.md#create-a-task and
 * docs/api-contract.md#version-2.
 */
import { isSheetTime, ratioOf } from './aspectRatio';
import {
	DEFAULT_ASPECT_RATIO,
	DEFAULT_MODEL,
	DEFAULT_RESOLUTION,
	MODELS,
	PROMPT_MAX_LENGTH,
	type Model,
	type SwitchName,
} from './models';
import { wellFormed } from '../text';
import { asText, brokenReason, isEmpty, plain, quote, switchOf } from './values';

/** The model that refuses a value, named where it is not the default one. */
const byModel = (model: Model) => (model === DEFAULT_MODEL ? '' : ` by ${model.label}`);

/** `field "value" … Allowed: …`, the one form of every refused value. */
function notAllowed(field: string, value: unknown, allowed: readonly string[], by = ''): string {
	const reason = typeof value === 'string' ? brokenReason(value) : undefined;
	return `${field} ${reason ?? `${quote(value)} is not supported${by}`}. Allowed: ${allowed.join(', ')}.`;
}

/** The sentence for a value that a spreadsheet has turned into a time or a date. */
function notATime(field: string, value: unknown, allowed: readonly string[]): string {
	return `${field} ${quote(value)} looks like a time or a date: a spreadsheet has changed what was entered. Format that column as plain text and enter the value again. Allowed: ${allowed.join(', ')}.`;
}

/** The sentence for a setting that the model does not have. */
export function notTaken(field: string, value: unknown, { label }: Model): string {
	return `${field} ${quote(value)}: ${label} has no such setting. Leave it out for this item, or choose another Model. If the field is not shown, choose a fixed Model once: that clears it.`;
}

/**
 * A name in small letters and digits alone, because people write capitals, blanks and dashes
 * differently.
 */
const bareName = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');

/**
 * The model of this value or label, whatever its capitals, spaces and punctuation; the default one
 * where empty. An unknown name adds a sentence to `problems` and gives the default model.
 */
export function readModel(value: unknown, problems: string[]): Model {
	if (isEmpty(value)) return DEFAULT_MODEL;
	const name = bareName(asText(value)?.normalize('NFKC') ?? '');
	const found = MODELS.find((model) => [model.value, model.label].map(bareName).includes(name));
	if (found) return found;
	problems.push(
		notAllowed(
			'Model',
			value,
			MODELS.map((model) => model.value),
		),
	);
	return DEFAULT_MODEL;
}

/**
 * The prompt, well-formed, counted in code points. Empty, a broken expression or more than 2,000
 * characters adds a sentence to `problems`; the first two give ''.
 */
export function readPrompt(value: unknown, problems: string[]): string {
	if (isEmpty(value)) {
		problems.push(
			'Prompt is empty: this item has no such value. Describe the video in words, or check the name in the expression.',
		);
		return '';
	}
	const broken = brokenReason(value);
	if (broken) {
		problems.push(`Prompt ${broken}.`);
		return '';
	}
	const text = wellFormed(asText(value) ?? '');
	const length = [...text].length;
	if (length > PROMPT_MAX_LENGTH) {
		problems.push(
			`Prompt has ${length} characters; the API takes at most ${PROMPT_MAX_LENGTH}. Shorten it.`,
		);
	}
	return text;
}

/** The default of a field, as far as the model has it; else its own first value. */
function usual<T>(values: readonly T[], preferred: T): T {
	return values.includes(preferred) ? preferred : values[0];
}

/**
 * One of the model's ratios; 9:16, or else its first, where empty. A refused value adds a sentence
 * to `problems` and gives 9:16.
 */
export function readAspectRatio(value: unknown, problems: string[], model: Model): string {
	const ratios = model.aspectRatios;
	if (isEmpty(value)) return usual(ratios, DEFAULT_ASPECT_RATIO);
	const found = ratioOf(value, ratios);
	if (found) return found;
	problems.push(
		isSheetTime(value, ratios)
			? notATime('Aspect Ratio', value, ratios)
			: notAllowed('Aspect Ratio', value, ratios, byModel(model)),
	);
	return DEFAULT_ASPECT_RATIO;
}

/**
 * One of the model's resolutions; 720p, or else its first, where empty. Undefined for a model that
 * has none; a refused value, or one for such a model, adds a sentence to `problems` and gives
 * undefined.
 */
export function readResolution(
	value: unknown,
	problems: string[],
	model: Model,
): string | undefined {
	const { resolutions } = model;
	const isGiven = !isEmpty(value);
	if (resolutions.length === 0) {
		if (isGiven) problems.push(notTaken('Resolution', value, model));
		return undefined;
	}
	if (!isGiven) return usual(resolutions, DEFAULT_RESOLUTION);
	const lines = /^(\d+)(?:[.,]0+)?\s*p?$/.exec(plain(value))?.[1];
	const found = resolutions.find((resolution) => resolution === `${lines}p`);
	if (!found) problems.push(notAllowed('Resolution', value, resolutions, byModel(model)));
	return found;
}

/** Seconds as people write them, and as a spreadsheet shows them as a time: `00:08`, `0:00:08`. */
const SECONDS = /^(\d+)(?:[.,]0+)?\s*-?(?:s|sec|secs|second|seconds)?\.?$/;
const SECONDS_AS_TIME = /^(?:0{1,2}:)?0{1,2}:0?(\d{1,2})$/;

/**
 * Seconds. The model's default where empty; a refused value adds a sentence to `problems` and gives
 * that default.
 */
export function readDuration(value: unknown, problems: string[], model: Model): number {
	if (isEmpty(value)) return model.defaultDuration;
	const text = plain(value);
	const seconds = (SECONDS.exec(text) ?? SECONDS_AS_TIME.exec(text))?.[1];
	const found = model.durations.find((duration) => String(duration) === seconds);
	if (found !== undefined) return found;
	const allowed = model.durations.map(String);
	const problem = isSheetTime(value, [])
		? notATime('Duration', value, allowed)
		: notAllowed('Duration', value, allowed, byModel(model));
	problems.push(problem.replace(/\.$/, ' seconds.'));
	return model.defaultDuration;
}

/**
 * A reader of a switch: off where its field is empty. A word that is neither on nor off, or a
 * switch that the model lacks, adds a sentence to `problems` and gives off. `field` is its label.
 */
export function readSwitch(name: SwitchName, field: string) {
	return (value: unknown, problems: string[], model: Model): boolean => {
		if (isEmpty(value)) return false;
		const found = switchOf(value);
		if (found === undefined) problems.push(notAllowed(field, value, ['true', 'false']));
		const isTaken = model.switches.includes(name);
		if (found && !isTaken) problems.push(notTaken(field, value, model));
		return found === true && isTaken;
	};
}
