/** Get Status: looks once at videos that were started before. A failed task is an answer here. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Clock } from '../../shared/clock';
import { downloadAll, readAll } from '../follow';
import { inOrder, type Result } from '../results';
import { tasksOf } from './tasks';

/** Gives one result per item, in order. */
export async function status(context: IExecuteFunctions, clock: Clock): Promise<Result[]> {
	const { followed, failed } = await tasksOf(context, false);
	const results = new Map(failed);
	const read = await readAll(context, followed, clock);
	read.forEach((result, index) => results.set(followed[index].itemIndex, result));
	const ordered = inOrder(context.getInputData().length, results);
	await downloadAll(context, ordered, clock);
	return ordered;
}
