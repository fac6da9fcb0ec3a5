/** Records in the list of videos what Get Status and Wait for Video have read. */
import { recordOutcomes } from '../../shared/idempotency/recordOutcomes';
import { stops } from '../run/output';
import { switchParameter } from '../run/fieldReading';
import type { Result } from '../run/result';
import type { Run } from '../run/run';
import { isExpired } from './rowChanges';

function isOn({ context }: Run): boolean {
	try {
		return switchParameter(context, 0, 'options.videoList', true);
	} catch {
		return false;
	}
}

/**
 * Gives the same results. Videos that are given out count as handed on, and so do failed and
 * expired ones. Never throws.
 */
export async function recordReads(run: Run, results: Result[]): Promise<Result[]> {
	if (!isOn(run)) return results;
	const isDelivered = !stops(run, results);
	const ends = results.flatMap((result) => {
		const { task, problem } = result;
		if (!task) return [];
		const isOver = task.state === 'failed' || isExpired(result);
		return problem === undefined || isOver ? [{ task, isHandedOn: isOver || isDelivered }] : [];
	});
	await recordOutcomes(run.context, ends);
	return results;
}
